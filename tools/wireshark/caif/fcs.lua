-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- The frame check sequence: CRC-CCITT, reflected, without final xor.

if not ... then return end

-- Lua 5.2 has the one, Wireshark's own library is the other, Lua 5.3 and later have an operator, which
-- the former cannot read.
local xor = bit32 and bit32.bxor or bit and bit.bxor or load("return function(a, b) return a ~ b end")()

local POLYNOMIAL, INIT = 0x8408, 0xffff
local table_of = {}
for byte = 0, 255 do
	local crc = byte
	for _ = 1, 8 do
		local shifted = math.floor(crc / 2)
		crc = crc % 2 == 1 and xor(shifted, POLYNOMIAL) or shifted
	end
	table_of[byte] = crc
end

-- Returns the check sequence of a string of bytes.
return function(bytes)
	local crc = INIT
	for at = 1, #bytes do
		crc = xor(math.floor(crc / 256), table_of[xor(crc, bytes:byte(at)) % 256])
	end
	return crc
end
