-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- The fields by which a capture is filtered, and what can be wrong with a frame.

if not ... then return end -- Wireshark itself loads each file of its folders, too.

local names = require("caif.names")
local fields, experts = {}, {}

local F = ProtoField
fields.dir = F.string("caif.dir", "Direction")
fields.link = F.string("caif.link", "Link")
fields.len = F.uint16("caif.len", "Length", base.DEC, nil, nil, "Bytes that follow the length")
fields.channel = F.uint8("caif.channel", "Channel", base.DEC, nil, nil, "Link id, 0 for the control channel")
fields.fcs = F.uint16("caif.fcs", "Frame check sequence", base.HEX)
fields.fcs_status = F.string("caif.fcs.status", "Check")
fields.trailer = F.bytes("caif.trailer", "Behind the frame")
fields.data = F.bytes("caif.data", "Data")

-- Messages of the control channel.
fields.cmd = F.uint8("caif.ctrl.cmd", "Command", base.DEC, names.commands, 0x0f)
fields.error = F.bool("caif.ctrl.error", "Error", 8, nil, 0x10)
fields.response = F.bool("caif.ctrl.response", "Response", 8, nil, 0x20)
fields.reserved = F.uint8("caif.ctrl.reserved", "Reserved", base.DEC, nil, 0xc0)
fields.chtype = F.uint8("caif.ctrl.chtype", "Channel type", base.DEC, nil, 0xf0)
fields.ctrl_service = F.uint8("caif.ctrl.service", "Service", base.DEC, names.services, 0x0f)
fields.prio = F.uint8("caif.ctrl.prio", "Priority", base.HEX, nil, 0xf8, "The higher, the less urgent")
fields.phyid = F.uint8("caif.ctrl.phyid", "Physical link", base.DEC, nil, 0x07)
fields.phyid_byte = F.uint8("caif.ctrl.enum.phyid", "Physical link", base.DEC)
fields.endpoint = F.uint8("caif.ctrl.endpoint", "Endpoint", base.DEC)
fields.connid = F.uint32("caif.ctrl.connid", "Connection id", base.DEC)
fields.volume = F.string("caif.ctrl.volume", "Volume")
fields.fifo_kb = F.uint16("caif.ctrl.fifo_kb", "Queue in KiB", base.DEC)
fields.fifo_bufs = F.uint16("caif.ctrl.fifo_bufs", "Queue in buffers", base.DEC)
fields.name = F.string("caif.ctrl.name", "Name")
fields.params_len = F.uint8("caif.ctrl.params_len", "Length of the parameters", base.DEC)
fields.params = F.bytes("caif.ctrl.params", "Parameters")
fields.linkid = F.uint8("caif.ctrl.linkid", "Link id", base.DEC)
fields.appended_len = F.uint8("caif.ctrl.appended_len", "Length of what is appended", base.DEC)
fields.appended = F.bytes("caif.ctrl.appended", "Appended")
fields.rest = F.bytes("caif.ctrl.rest", "Rest")
fields.response_in = F.framenum("caif.ctrl.response_in", "Answer in frame", base.NONE, frametype.RESPONSE)
fields.response_to = F.framenum("caif.ctrl.response_to", "Request in frame", base.NONE, frametype.REQUEST)
fields.time = F.relative_time("caif.ctrl.time", "Time from request to answer")

-- What the control channel said of a channel.
fields.service = F.string("caif.service", "Service")
fields.channel_connid = F.uint32("caif.connid", "Connection id", base.DEC)
fields.setup = F.framenum("caif.setup", "Set up in frame", base.NONE)
fields.gone = F.framenum("caif.gone", "Given up in frame", base.NONE)

-- Bodies of data channels.
fields.hdr_cmd = F.uint8("caif.hdr.cmd", "Header", base.HEX, names.headers)
fields.hdr_datagram = F.bytes("caif.hdr.datagram", "Datagram header")
fields.hdr_video = F.bytes("caif.hdr.video", "Video header")
fields.flow = F.bool("caif.flow", "Flow on")
fields.at = F.string("caif.at", "AT")
fields.text = F.string("caif.text", "Text")
fields.pins = F.bytes("caif.at.pins", "Pins")

fields.more = F.bool("caif.rfm.more", "Another segment follows", 8, nil, 0x01)
fields.rfm_header = F.bytes("caif.rfm.header", "Packet header")
fields.rfm_size = F.uint16("caif.rfm.size", "Bytes behind the header", base.DEC)
fields.segment = F.framenum("caif.rfm.segment", "Segment in frame", base.NONE)
fields.segments = F.uint32("caif.rfm.segments", "Segments", base.DEC)
fields.reassembled_in = F.framenum("caif.rfm.reassembled_in", "Whole in frame", base.NONE)

fields.twin = F.framenum("caif.twin", "Same packet in frame", base.NONE)
fields.twin_interface = F.string("caif.twin.interface", "Interface of that frame")

local function malformed(name, text)
	return ProtoExpert.new(name, text, expert.group.MALFORMED, expert.severity.ERROR)
end
local function odd(name, text, severity)
	return ProtoExpert.new(name, text, expert.group.PROTOCOL, severity or expert.severity.WARN)
end
-- These are what a receiver drops.
experts.len_missing = malformed("caif.len.missing", "The length is missing or cut")
experts.len_short = malformed("caif.len.short", "The length is below 3")
experts.len_beyond = malformed("caif.len.beyond", "The length goes beyond the end")
experts.ctrl_cut = malformed("caif.ctrl.cut", "The message ends inside a field")
experts.volume_bad = malformed("caif.ctrl.volume.bad", "The volume has no end within 16 bytes")
experts.service_bad = malformed("caif.ctrl.service.bad", "A success for a service that there is not")
experts.data_cut = malformed("caif.hdr.cut", "The header is cut")
experts.data_cmd = malformed("caif.hdr.unknown", "The service has no such header")
experts.rfm_short = malformed("caif.rfm.short", "The segment has no complete header, or nothing behind it")
experts.rfm_other = malformed("caif.rfm.other", "The header is another than that of the packet's first segment")
experts.rfm_long = malformed("caif.rfm.long", "The segments are longer than the packet's header says")
experts.rfm_incomplete = malformed("caif.rfm.incomplete", "The packet ends before it is as long as its header says")
experts.fcs_bad = ProtoExpert.new("caif.fcs.bad", "Wrong frame check sequence; a virtio link ignores it",
	expert.group.CHECKSUM, expert.severity.WARN)
-- These are what a receiver ignores, or what deserves a look.
experts.trailer = odd("caif.trailer.present", "Bytes behind the frame, which are ignored", expert.severity.NOTE)
experts.short_capture = odd("caif.captured_short", "The capture has only a part of the frame", expert.severity.NOTE)
experts.cmd_unknown = odd("caif.ctrl.cmd.unknown", "No message that a receiver knows")
experts.service_unknown = odd("caif.ctrl.service.unknown", "There is no such service")
experts.by_modem = odd("caif.ctrl.by_modem", "A request of the modem, which Linux ignores")
experts.by_linux = odd("caif.ctrl.by_linux", "An answer of Linux, which gives none")
experts.linkid_zero = odd("caif.ctrl.linkid.zero", "Link id 0 is the control channel's")
experts.linkid_used = odd("caif.ctrl.linkid.used", "The link id was in use", expert.severity.NOTE)
experts.refused = odd("caif.ctrl.refused", "The modem refuses", expert.severity.NOTE)
experts.no_answer = odd("caif.ctrl.no_answer", "No answer in this capture", expert.severity.NOTE)
experts.no_request = odd("caif.ctrl.no_request", "No request in this capture", expert.severity.NOTE)
experts.channel_unknown = odd("caif.channel.unknown", "Nothing in this capture set the channel up")
experts.channel_gone = odd("caif.channel.gone", "The channel was given up before")
experts.not_ip = odd("caif.not_ip", "Not IP", expert.severity.NOTE)

return { fields = fields, experts = experts }
