-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- Bodies of data channels, by service.

if not ... then return end

local names = require("caif.names")
local all = require("caif.fields")
local new_reader = require("caif.reader")
local rfm = require("caif.rfm")
local fields, experts = all.fields, all.experts

local FLOW_ON, FLOW_OFF, SPECIAL = 0x80, 0x81, 0x82
local ip, ipv6 = Dissector.get("ip"), Dissector.get("ipv6")

-- Hands bytes on to another dissector. That one shows its own exceptions, which are none of ours.
local function hand_on(dissector, range, at)
	pcall(dissector.call, dissector, range:tvb(), at.pinfo, at.root)
end

-- The version of an IP packet that bytes can be, or nil.
local function ip_version(range)
	local version = range:len() >= 20 and math.floor(range:range(0, 1):uint() / 16)
	if version == 4 and range:range(0, 1):uint() % 16 >= 5 then return 4 end
	if version == 6 and range:len() >= 40 then return 6 end
	return nil
end

local function show_data(range, tree)
	if range then tree:add(fields.data, range) end
	return (range and range:len() or 0) .. " bytes"
end

-- Text, if it is such, else bytes.
local function show_text(range, field, tree)
	if not range then return "nothing" end
	local raw = range:raw()
	if raw:find("[^ -~\r\n\t\8\27]") then return show_data(range, tree) end
	-- A line is an item of its own.
	local at = 1
	while at <= #raw do
		local _, last = raw:find("^[^\r\n]*[\r\n]*", at)
		tree:add(field, range:range(at - 1, last - at + 1), names.escape(raw:sub(at, last)))
		at = last + 1
	end
	return names.escape(raw)
end

-- A header of one byte. Returns what it says, or nil if it is not there.
local function one_byte(reader, tree)
	local range = reader:take(1, "header")
	if not range then return nil end
	return range:uint(), tree:add(fields.hdr_cmd, range), range
end

local function show_flow(value, range, tree)
	tree:add(fields.flow, range, value == FLOW_ON):set_generated()
	return value == FLOW_ON and "flow on" or "flow off"
end

-- The bodies of AT and UTIL channels; `other` shows what 0x82 and payloads are there.
local function stream(reader, tree, special, payload)
	local value, item, range = one_byte(reader, tree)
	if value == 0 then return payload(reader:rest()) end
	if value == FLOW_ON or value == FLOW_OFF then return show_flow(value, range, tree) end
	if value == SPECIAL then return special(reader:rest(), item) end
	if value then item:add_proto_expert_info(experts.data_cmd) end
	return value and string.format("header %#04x", value) or "without a header"
end

local body_of = {}

body_of[1] = function(reader, tree)
	return stream(reader, tree, function(range, item)
		item:append_text(": set pin")
		if range then tree:add(fields.pins, range) end
		return "set pin"
	end, function(range) return show_text(range, fields.at, tree) end)
end

body_of[6] = function(reader, tree)
	return stream(reader, tree, function(range, item)
		item:append_text(": remote shutdown")
		if range then tree:add(fields.data, range) end
		return "remote shutdown"
	end, function(range) return show_data(range, tree) end)
end

body_of[2] = function(reader, tree)
	local header = reader:take(4, "header")
	if not header then return "without a header" end
	tree:add(fields.hdr_video, header)
	return show_data(reader:rest(), tree)
end

body_of[3] = function(reader, tree)
	return show_text(reader:rest(), fields.text, tree)
end

body_of[4] = function(reader, tree, at)
	local _, have = reader:left()
	local value = have > 0 and reader.tvb:range(reader.at, 1):uint() or 0
	if value >= FLOW_ON then
		local _, item, range = one_byte(reader, tree)
		if value == FLOW_ON or value == FLOW_OFF then return show_flow(value, range, tree) end
		item:add_proto_expert_info(experts.data_cmd)
		return string.format("header %#04x", value)
	end
	local header = reader:take(4, "header")
	if not header then return "without a header" end
	local item = tree:add(fields.hdr_datagram, header)
	local range = reader:rest()
	local version = range and ip_version(range)
	if not version then
		if at.channel.chtype ~= names.LOOP then item:add_proto_expert_info(experts.not_ip) end
		return show_data(range, tree)
	end
	at.has_ip = true
	hand_on(version == 4 and ip or ipv6, range, at)
	return "IPv" .. version
end

body_of[5] = function(reader, tree, at)
	local header = reader:take(1, "header")
	if not header then return "without a header" end
	local item = tree:add(fields.more, header)
	local more = header:uint() % 2 == 1
	local left = reader:left()
	local range = reader:rest()
	return rfm(range, more, left == 0 or not reader.fault, tree, item, at)
end

-- What a channel of which nothing is known seems to be: a capture may begin after the set-up.
local function guess(tvb, from, have)
	if have < 2 then return nil end
	local first = tvb:range(from, 1):uint()
	if have >= 24 and (first == 0x08 or first == 0) and tvb:range(from + 1, 3):uint() == 0
		and ip_version(tvb:range(from + 4, have - 4)) then
		return names.DATAGRAM
	end
	if first == 0 and not tvb:range(from + 1, have - 1):raw():find("[^ -~\r\n]") then return 1 end
	return nil
end

-- Dissects the body of a frame on `at.channel`, or nil if that is not known. Returns the text for the list
-- of packets; `at.has_ip` is set if another dissector has filled that in.
return function(tvb, from, len, tree, at)
	local reader = new_reader(tvb, from, len)
	local channel = at.channel
	local is_guess = not channel
	if is_guess then
		local _, have = reader:left()
		channel = { id = at.id, service = guess(tvb, from, have) }
		at.channel = channel
	end
	local service = channel.service and names.service(channel.service, channel.chtype)
	if service and is_guess then service = service .. "?" end
	tree:add(fields.service, service or "unknown"):set_generated()
	local body = body_of[channel.service]
	local text = body and body(reader, tree, at)
	if not body then text = show_data(reader:rest(), tree) end
	if reader.fault and reader.fault.cut then
		tree:add_proto_expert_info(experts.data_cut,
			string.format("The header is cut: it takes %d bytes, %d are there", reader.fault.wanted, reader.fault.left))
	end
	return string.format("%s channel %d: %s", service or "Unknown", at.id, text)
end
