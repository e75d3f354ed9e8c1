-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- Messages of the control channel.

if not ... then return end

local names = require("caif.names")
local all = require("caif.fields")
local new_reader = require("caif.reader")
local state = require("caif.state")
local fields, experts = all.fields, all.experts

local SETUP, DESTROY, LINK_ERR, ENUM = 0, 1, 2, 3
local ERROR, RESPONSE = 0x10, 0x20
local MAX_VOLUME = 15

-- What stands behind the parameters of all services, by service: adds to `got` what is to be remembered.
local of_service = {}

of_service[1] = function() return true end
of_service[3] = of_service[1]

of_service[2] = function(reader, tree, got)
	got.connid = reader:number(tree, fields.connid, 1, "connection id")
	return got.connid
end

of_service[4] = function(reader, tree, got)
	got.connid = reader:number(tree, fields.connid, 4, "connection id")
	return got.connid
end

of_service[5] = function(reader, tree, got)
	got.connid = reader:number(tree, fields.connid, 4, "connection id")
	if not got.connid then return nil end
	local left, have = reader:left()
	local len = 0
	while len < have and len <= MAX_VOLUME and reader.tvb:range(reader.at + len, 1):uint() ~= 0 do
		len = len + 1
	end
	if len > MAX_VOLUME or len == left then
		got.bad_volume = true
		return nil
	end
	local range = reader:take(len + 1, "volume")
	if not range then return nil end
	got.name = names.escape(range:raw():sub(1, -2))
	tree:add(fields.volume, range, got.name)
	return true
end

of_service[6] = function(reader, tree, got)
	if not reader:number(tree, fields.fifo_kb, 2, "queue in KiB") then return nil end
	if not reader:number(tree, fields.fifo_bufs, 2, "queue in buffers") then return nil end
	local range = reader:take(16, "name")
	if not range then return nil end
	got.name = names.escape((range:raw():gsub("%z.*", "")))
	tree:add(fields.name, range, got.name)
	return reader:counted(tree, fields.params_len, fields.params, "parameters")
end

-- Reads the parameters of a LINK_SETUP. Returns what they say, or nil if they are not complete.
local function read_params(reader, tree, got)
	local start = reader.at
	local kind = reader:take(1, "channel type and service")
	if not kind then return nil end
	got.service = kind:uint() % 16
	got.chtype = math.floor(kind:uint() / 16)
	tree:add(fields.chtype, kind)
	tree:add(fields.ctrl_service, kind)
	local link = reader:take(1, "priority and physical link")
	if not link then return nil end
	local prio = math.floor(link:uint() / 8)
	tree:add(fields.prio, link):append_text(string.format(" (of a socket: %d)", 0x20 - prio))
	tree:add(fields.phyid, link)
	got.phyid = link:uint() % 8
	if not reader:number(tree, fields.endpoint, 1, "endpoint") then return nil end
	local read = of_service[got.service]
	if read then
		if not read(reader, tree, got) then return nil end
	else
		got.unknown = true
		if got.kind == RESPONSE then return nil end
		-- How long its parameters are is not known: all that follows.
		local rest = reader:rest()
		if rest then tree:add(fields.rest, rest) end
		if reader.fault then return nil end
	end
	got.key = reader.tvb:range(start, reader.at - start):raw()
	return got
end

-- A set-up in a few words.
local function describe(got)
	if not got.service then return "" end
	local text = " " .. names.service(got.service, got.chtype)
	if got.connid then text = text .. ", connection " .. got.connid end
	if got.name and got.name ~= "" then text = text .. ' "' .. got.name .. '"' end
	return text
end

-- What follows the first byte, by command. Each returns the text for the list of packets.
local body_of = {}

body_of[SETUP] = function(reader, tree, got)
	if not read_params(reader, tree, got) then return describe(got) end
	if got.kind ~= RESPONSE then return describe(got) end
	got.linkid = reader:number(tree, fields.linkid, 1, "link id")
	if got.linkid and got.service == 6 then
		got.appended = reader:counted(tree, fields.appended_len, fields.appended, "appended bytes")
		if not got.appended then got.linkid = nil end
	end
	return describe(got) .. (got.linkid and ": channel " .. got.linkid or "")
end

body_of[DESTROY] = function(reader, tree, got)
	got.linkid = reader:number(tree, fields.linkid, 1, "link id")
	got.key = got.linkid
	return got.linkid and " channel " .. got.linkid or ""
end

body_of[ENUM] = function(reader, tree, got)
	got.phyid = reader:number(tree, fields.phyid_byte, 1, "physical link")
	got.key = got.phyid
	return got.phyid and " link " .. got.phyid or ""
end

body_of[LINK_ERR] = function() return "" end

-- Remembers a request, or what it is that is answered.
local function remember(frame, at, got)
	local link, dir = at.link, at.dir
	if got.kind == 0 then
		frame.exchange = state.request(link, dir, got.command, got.key, at.number, at.time)
		if got.command == DESTROY and dir ~= "down" then state.close(link, got.linkid, at.number) end
		return
	end
	frame.exchange = state.answer(link, dir, got.command, got.key, at.number, at.time)
	if got.command ~= SETUP or got.kind ~= RESPONSE or dir == "up" or got.linkid == 0 then return end
	local old = state.open(link, got.linkid, {
		key = got.key,
		service = got.service,
		chtype = got.chtype,
		connid = got.connid,
		name = got.name,
		answer = at.number,
	})
	frame.was_used = old ~= nil
end

-- Shows what a message is an answer to, or what answers it.
local function show_exchange(frame, tree, item, at, got)
	local exchange = frame.exchange
	if got.kind == 0 then
		if exchange.answer then
			tree:add(fields.response_in, exchange.answer):set_generated()
		elseif at.visited and got.command ~= ENUM and at.dir ~= "down" then
			item:add_proto_expert_info(experts.no_answer)
		end
		return
	end
	if not exchange then
		item:add_proto_expert_info(experts.no_request)
		return
	end
	tree:add(fields.response_to, exchange.request):set_generated()
	if exchange.took >= 0 then
		local seconds = math.floor(exchange.took)
		local rest = math.floor((exchange.took - seconds) * 1e9 + 0.5)
		tree:add(fields.time, NSTime.new(seconds, rest)):set_generated()
	end
end

-- Marks what a receiver drops or ignores. Returns whether the message is complete.
local function judge(reader, item, got)
	local fault = reader.fault
	if got.bad_volume then
		item:add_proto_expert_info(experts.volume_bad)
	elseif got.unknown and got.kind == RESPONSE then
		item:add_proto_expert_info(experts.service_bad)
	elseif fault and fault.cut then
		item:add_proto_expert_info(experts.ctrl_cut,
			string.format("The message ends inside a field: %s takes %d bytes, %d are left",
				fault.what, fault.wanted, fault.left))
	elseif not fault then
		if got.unknown then item:add_proto_expert_info(experts.service_unknown) end
		return true
	end
	return false
end

-- Dissects a message. `at` says of which frame, link and direction it is.
return function(tvb, from, len, tree, at)
	local reader = new_reader(tvb, from, len)
	local got = {}
	local first = reader:take(1, "command")
	local item = first and tree:add(fields.cmd, first) or tree
	if not first then
		judge(reader, tree, got)
		return "Control message without a command"
	end
	got.command = first:uint() % 16
	got.kind = first:uint() - got.command
	tree:add(fields.response, first)
	tree:add(fields.error, first)
	tree:add(fields.reserved, first)
	local text = (names.commands[got.command] or "command " .. got.command)
	local is_known = got.kind == 0 and body_of[got.command]
		or got.kind == RESPONSE and got.command ~= LINK_ERR and body_of[got.command]
		or got.kind == RESPONSE + ERROR and got.command == SETUP
	if got.kind % (2 * ERROR) >= ERROR then
		text = text .. (got.command == SETUP and " refused" or " error")
	elseif got.kind % (2 * RESPONSE) >= RESPONSE then
		text = text .. " done"
	end
	if not is_known then
		local rest = reader:rest()
		if rest then tree:add(fields.rest, rest) end
		item:add_proto_expert_info(experts.cmd_unknown)
		return text
	end
	text = text .. body_of[got.command](reader, tree, got)
	if not judge(reader, item, got) then return text end
	local rest = reader:rest()
	if rest then tree:add(fields.rest, rest) end
	if got.command == LINK_ERR then return text end

	if not at.visited then remember(at.frame, at, got) end
	show_exchange(at.frame, tree, item, at, got)
	if got.kind == 0 and at.dir == "down" then item:add_proto_expert_info(experts.by_modem) end
	if got.kind ~= 0 and at.dir == "up" then
		item:add_proto_expert_info(experts.by_linux)
	elseif got.kind == RESPONSE + ERROR then
		item:add_proto_expert_info(experts.refused)
	elseif got.kind == RESPONSE and got.command == SETUP and got.linkid == 0 then
		item:add_proto_expert_info(experts.linkid_zero)
	end
	if at.frame.was_used then item:add_proto_expert_info(experts.linkid_used) end
	return text
end
