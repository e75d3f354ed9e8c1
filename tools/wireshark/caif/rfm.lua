-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- Packets of the remote file manager. One that does not fit into a frame comes in segments, each of which
-- begins with the packet's header.

if not ... then return end

local all = require("caif.fields")
local fields, experts = all.fields, all.experts

local HEADER = 6

-- Adds a segment to what there is of its packet. Returns the packet if it is whole now, or else what is
-- wrong, if anything.
local function add(partials, slot, more, bytes, number)
	local partial = partials[slot]
	partials[slot] = nil
	if not more and not partial then return nil end -- Whole, whatever is in it.
	if #bytes < HEADER then return nil, experts.rfm_short end
	local header = bytes:sub(1, HEADER)
	if not partial then
		local low, high = bytes:byte(HEADER - 1, HEADER)
		partial = { header = header, have = #bytes, len = HEADER + low + 256 * high, parts = { bytes }, frames = { number } }
		if partial.have > partial.len then return nil, experts.rfm_long end
		partials[slot] = partial
		return partial
	end
	if header ~= partial.header then return nil, experts.rfm_other end
	if #bytes == HEADER then return nil, experts.rfm_short end
	partial.have = partial.have + #bytes - HEADER
	table.insert(partial.parts, bytes:sub(HEADER + 1))
	table.insert(partial.frames, number)
	if partial.have > partial.len then return nil, experts.rfm_long end
	if more then
		partials[slot] = partial
		return partial
	end
	if partial.have < partial.len then return nil, experts.rfm_incomplete end
	partial.bytes = table.concat(partial.parts)
	partial.parts = nil
	partial.whole = number
	return partial
end

local function show_header(tree, range)
	if range:len() < HEADER then return end
	tree:add(fields.rfm_header, range:range(0, HEADER))
	tree:add_le(fields.rfm_size, range:range(HEADER - 2, 2))
end

-- Returns bytes as the buffer of a packet that was put together.
local function buffer(bytes)
	local array = ByteArray.new()
	array:append(ByteArray.new(bytes, true))
	return array:tvb("RFM packet")
end

-- Dissects what follows the byte with the bit. `is_whole` is false if the capture lacks some of it. Returns
-- the text for the list of packets.
return function(range, more, is_whole, tree, item, at)
	local frame, channel = at.frame, at.channel
	if not at.visited and is_whole then
		local slot = (at.dir or "unknown") .. channel.id
		local bytes = range and range:raw() or ""
		frame.rfm, frame.rfm_fault = add(at.link.partial, slot, more, bytes, at.number)
	end
	if range then show_header(tree, range) end
	if frame.rfm_fault then item:add_proto_expert_info(frame.rfm_fault) end
	local packet = frame.rfm
	local len = range and range:len() or 0
	if not packet then
		if range then tree:add(fields.data, range) end
		local kind = more and "segment" or frame.rfm_fault and "end of a packet" or "packet"
		return string.format("%s, %d bytes", kind, len)
	end
	if packet.whole ~= at.number then
		tree:add(fields.data, range)
		if packet.whole then tree:add(fields.reassembled_in, packet.whole):set_generated() end
		return string.format("segment, %d bytes", len)
	end
	tree:add(fields.segments, #packet.frames):set_generated()
	for _, number in ipairs(packet.frames) do tree:add(fields.segment, number):set_generated() end
	local whole = buffer(packet.bytes)
	tree:add(fields.data, whole:range())
	return string.format("packet of %d segments, %d bytes", #packet.frames, packet.len)
end
