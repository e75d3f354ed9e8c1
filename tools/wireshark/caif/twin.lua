-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- Finds the packet of a caif interface in the frame of its link, and the other way round, where a capture
-- has both.

if not ... then return end

local all = require("caif.fields")
local state = require("caif.state")
local fields = all.fields

-- Types of caif interfaces, where a capture of any interface says them: ARPHRD_NONE, and ARPHRD_RAWIP of
-- earlier ones.
local IP_ONLY = { [0xfffe] = true, [519] = true }
local COMPARED = 96
local TCP, UDP = 6, 17

-- So many packets, or twice as many, wait for their other frame, which is near.
local MOST = 10000

local twin = {}
local waiting, waiting_longer, count

local get = {
	ip = Field.new("ip"),
	ipv6 = Field.new("ipv6"),
	raw = Field.new("raw"),
	hatype = Field.new("sll.hatype"),
	name = Field.new("frame.interface_name"),
}

function twin.reset()
	waiting, waiting_longer, count = {}, {}, 0
end
twin.reset()

-- The beginning of a packet, without the checksum of TCP and UDP: that may be computed below the interface.
local function key_of(tvb, from)
	local have = tvb:captured_len() - from
	if have < 20 then return nil end
	local head = tvb:range(from, 20)
	local is_v6 = head:range(0, 1):uint() >= 0x60
	local header = is_v6 and 40 or head:range(0, 1):uint() % 16 * 4
	local total = is_v6 and 40 + head:range(4, 2):uint() or head:range(2, 2):uint()
	local proto = is_v6 and head:range(6, 1):uint() or head:range(9, 1):uint()
	local is_fragment = not is_v6 and head:range(6, 2):uint() % 0x2000 ~= 0
	local bytes = tvb:range(from, math.min(have, total, COMPARED)):raw()
	local sum = not is_fragment and (proto == TCP and header + 16 or proto == UDP and header + 6)
	if not sum or #bytes < sum + 2 then return bytes end
	return bytes:sub(1, sum) .. "\0\0" .. bytes:sub(sum + 3)
end

-- Looks for the other frame of a packet. `kind` is "link" or "interface".
local function find(kind, key, number, name)
	local frame = state.frame(number)
	frame.looked = true
	local entry = { frame = frame, number = number, name = name, kind = kind }
	local list = waiting[key] or waiting_longer[key] or {}
	waiting[key] = list
	for at, other in ipairs(list) do
		if other.kind ~= kind then
			table.remove(list, at)
			frame.twin, other.frame.twin = other, entry
			return
		end
	end
	table.insert(list, entry)
	count = count + 1
	if count == MOST then waiting, waiting_longer, count = {}, waiting, 0 end
end

-- Called for each frame, after all other dissectors.
function twin.dissect(tvb, pinfo, tree)
	local known = state.peek(pinfo.number)
	if not (known and known.looked) then
		local hatype = get.hatype()
		local kind = known and known.has_ip and "link"
			or (get.raw() or hatype and IP_ONLY[hatype.value]) and "interface"
		local packet = kind and (get.ip() or get.ipv6())
		local key = packet and key_of(tvb, packet.offset)
		if key then
			local name = get.name()
			find(kind, key, pinfo.number, name and name.value)
			known = state.peek(pinfo.number)
		end
	end
	local other = known and known.twin
	if not other then return end
	local item = tree:add(fields.twin, other.number)
	item:set_generated()
	if other.name then item:add(fields.twin_interface, other.name):set_generated() end
end

return twin
