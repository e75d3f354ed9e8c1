-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- A dissector of CAIF for Wireshark and tshark: captures of a link's network device at Linux, and those that
-- the modem process of this project writes. Documentation/wireshark.md says how to use it.

local HERE = __DIR__ or debug.getinfo(1, "S").source:match("^@(.*[/\\])") or ""
if not HERE:match("[/\\]$") then HERE = HERE .. "/" end
package.path = HERE .. "?.lua;" .. package.path

local all = require("caif.fields")
local compute_fcs = require("caif.fcs")
local control = require("caif.control")
local data = require("caif.data")
local state = require("caif.state")
local twin = require("caif.twin")
local fields, experts = all.fields, all.experts

-- The protocol number of CAIF at Linux, and the link type of the modem's captures.
local ETH_P_CAIF = 0x00f7
local LEAST_LENGTH = 3
local CONTROL = 0
local OUTGOING = 4
local P2P_SENT, P2P_RECEIVED = 0, 1

local caif = Proto("caif", "CAIF")
caif.fields = fields
caif.experts = experts
caif.prefs.user0 = Pref.bool("Captures of link type USER0 are of CAIF", true,
	"The modem's captures have link type 147, DLT_USER0, as there is none for CAIF")

local get = {
	number = Field.new("frame.number"),
	interface = Field.new("frame.interface_id"),
	name = Field.new("frame.interface_name"),
	pkttype = Field.new("sll.pkttype"),
	ifindex = Field.new("sll.ifindex"),
}

function caif.init()
	state.reset()
	twin.reset()
end

local function value(field)
	local info = field()
	return info and info.value
end

-- The link of a frame, a name for it, and its direction: "up" is from Linux to the modem.
local function place(pinfo)
	local interface = value(get.interface) or 0
	local name = value(get.name)
	local pkttype, ifindex = value(get.pkttype), value(get.ifindex)
	if pkttype then
		local key = interface .. (ifindex and "." .. ifindex or "")
		local link = ifindex and "interface " .. ifindex or name
		return key, link, pkttype == OUTGOING and "up" or "down"
	end
	-- The modem's captures have an interface for each direction.
	if name == "uplink" then return "modem " .. interface, nil, "up" end
	if name == "downlink" then return "modem " .. interface - 1, nil, "down" end
	local sent = { [P2P_SENT] = "up", [P2P_RECEIVED] = "down" }
	return tostring(interface), name, sent[pinfo.p2p_dir]
end

-- Shows the check sequence of a whole frame. On a virtio link it is not used, and zero.
local function show_fcs(tvb, len, tree)
	local range = tvb:range(len, 2)
	local found = range:le_uint()
	local item = tree:add_le(fields.fcs, range)
	if found == 0 then
		tree:add(fields.fcs_status, "not used"):set_generated()
		return
	end
	local computed = compute_fcs(tvb:range(2, len - 2):raw())
	tree:add(fields.fcs_status, found == computed and "right" or "wrong"):set_generated()
	if found ~= computed then
		item:add_proto_expert_info(experts.fcs_bad,
			string.format("Wrong frame check sequence, it would be %#06x; a virtio link ignores it", computed))
	end
end

-- Dissects the body. Returns a text for it, and whether the list of packets has one already.
local function dissect_body(tvb, len, pinfo, tree, root)
	local key, link_name, dir = place(pinfo)
	local frame = state.begin(pinfo.number, get.number() ~= nil)
	local at = {
		link = state.link(key),
		dir = dir,
		frame = frame,
		number = pinfo.number,
		time = pinfo.rel_ts,
		visited = frame.done,
		pinfo = pinfo,
		root = root,
		id = tvb:range(2, 1):uint(),
	}
	if dir then
		pinfo.cols.src = dir == "up" and "Linux" or "modem"
		pinfo.cols.dst = dir == "up" and "modem" or "Linux"
		tree:add(fields.dir, dir == "up" and "Linux to modem" or "modem to Linux"):set_generated()
	end
	if link_name then tree:add(fields.link, link_name):set_generated() end
	local item = tree:add(fields.channel, tvb:range(2, 1))
	frame.done = true
	if at.id == CONTROL then return control(tvb, 3, len - LEAST_LENGTH, tree, at) end

	if not at.visited then frame.channel, frame.gone = state.use(at.link, at.id) end
	local channel = frame.channel
	at.channel = channel
	if not channel then
		item:add_proto_expert_info(frame.gone and experts.channel_gone or experts.channel_unknown)
		if frame.gone then tree:add(fields.gone, frame.gone):set_generated() end
	else
		tree:add(fields.setup, channel.answer):set_generated()
		if channel.connid then tree:add(fields.channel_connid, channel.connid):set_generated() end
	end
	local text = data(tvb, 3, len - LEAST_LENGTH, tree, at)
	frame.has_ip = at.has_ip
	return text, at.has_ip
end

-- Dissects a frame that is whole, or of which the capture lacks the end.
local function dissect_frame(tvb, pinfo, tree, root)
	local have, there = tvb:captured_len(), tvb:reported_len()
	if have < 2 then
		tree:add_proto_expert_info(there < 2 and experts.len_missing or experts.short_capture)
		return "Frame without a length"
	end
	local len = tvb:range(0, 2):le_uint()
	local item = tree:add_le(fields.len, tvb:range(0, 2))
	if len < LEAST_LENGTH or len > there - 2 then
		local is_short = len < LEAST_LENGTH
		item:add_proto_expert_info(is_short and experts.len_short or experts.len_beyond, is_short
			and string.format("The length %d is below %d", len, LEAST_LENGTH)
			or string.format("The length %d goes beyond the %d bytes that follow", len, there - 2))
		if have > 2 then tree:add(fields.data, tvb:range(2)) end
		return string.format("Frame with the wrong length %d", len)
	end
	if have < 3 then
		tree:add_proto_expert_info(experts.short_capture)
		return "Frame without a channel"
	end
	tree:set_len(math.min(len + 2, have))
	local text, is_listed = dissect_body(tvb, len, pinfo, tree, root)
	if have < math.min(len + 2, there) then
		tree:add_proto_expert_info(experts.short_capture)
	else
		show_fcs(tvb, len, tree)
	end
	if there > len + 2 and have > len + 2 then
		tree:add(fields.trailer, tvb:range(len + 2)):add_proto_expert_info(experts.trailer)
	end
	return text, is_listed
end

function caif.dissector(tvb, pinfo, root)
	pinfo.cols.protocol = "CAIF"
	pinfo.cols.info = ""
	local tree = root:add(caif, tvb:range(0, tvb:captured_len()))
	local text, is_listed = dissect_frame(tvb, pinfo, tree, root)
	tree:append_text(", " .. text)
	if not is_listed then pinfo.cols.info = text end
	return tvb:reported_len()
end

local encapsulations, user = DissectorTable.get("wtap_encap"), wtap.USER0
local before = Dissector.get("user_dlt")
function caif.prefs_changed()
	encapsulations:set(user, caif.prefs.user0 and caif or before)
end
encapsulations:set(user, caif)
DissectorTable.get("sll.ltype"):add(ETH_P_CAIF, caif)

-- Nothing is done by it: because of its filter Wireshark makes a tree when it reads a file, and so there are
-- the fields that tell the link and the direction.
local listener = Listener.new("frame", "caif")
function listener.packet() end

local correlation = Proto("caif_twin", "CAIF packets on several interfaces")
correlation.dissector = twin.dissect
register_postdissector(correlation)
