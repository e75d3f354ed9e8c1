-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- What the numbers of the protocol are called.

if not ... then return end

local names = {}

names.commands = {
	[0] = "LINK_SETUP",
	[1] = "LINK_DESTROY",
	[2] = "LINK_ERR",
	[3] = "ENUM",
	[4] = "SLEEP",
	[5] = "WAKE",
	[6] = "LINK_RECONF",
	[8] = "RADIO_SET",
}

names.services = {
	[1] = "AT",
	[2] = "VIDEO",
	[3] = "DEBUG",
	[4] = "DATAGRAM",
	[5] = "RFM",
	[6] = "UTIL",
}

names.headers = {
	[0x00] = "Data",
	[0x80] = "Flow on",
	[0x81] = "Flow off",
	[0x82] = "Set pin, or remote shutdown",
}

-- Datagram channels of type 3 have their frames come back.
names.DATAGRAM, names.LOOP = 4, 3

function names.service(service, chtype)
	if service == names.DATAGRAM and chtype == names.LOOP then return "DATAGRAM_LOOP" end
	return names.services[service] or ("service " .. service)
end

-- Text of a channel as one line: what does not print is written as in a program.
local short = { ["\r"] = "\\r", ["\n"] = "\\n", ["\t"] = "\\t", ["\\"] = "\\\\" }
function names.escape(raw)
	return (raw:gsub("[%c\127-\255\\]", function(char)
		return short[char] or string.format("\\x%02x", char:byte())
	end))
end

return names
