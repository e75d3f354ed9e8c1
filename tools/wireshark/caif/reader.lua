-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- Reads fields one after the other and shows them. Past the end of what is there nothing is read.

if not ... then return end

local Reader = {}
Reader.__index = Reader

-- Reads `len` bytes of `tvb` from `at` on, of which the capture may lack the last ones.
local function new(tvb, at, len)
	return setmetatable({ tvb = tvb, at = at, stop = at + len, have = tvb:captured_len() }, Reader)
end

-- How many bytes are left, and how many of them the capture has.
function Reader:left()
	local left = self.stop - self.at
	return left, math.max(0, math.min(left, self.have - self.at))
end

-- Takes `len` bytes, at least one. Without them, `fault` says whether the message is cut or the capture.
function Reader:take(len, what)
	local left, have = self:left()
	if len > have then
		self.fault = self.fault or { cut = len > left, what = what, wanted = len, left = left }
		return nil
	end
	local range = self.tvb:range(self.at, len)
	self.at = self.at + len
	return range
end

-- Takes what is left and the capture has of it; nil if there is nothing.
function Reader:rest()
	local left, have = self:left()
	if have < left and not self.fault then self.fault = { cut = false } end
	if have == 0 then return nil end
	local range = self.tvb:range(self.at, have)
	self.at = self.at + have
	return range
end

-- Takes a number of `len` bytes and shows it. Returns it and its item.
function Reader:number(tree, field, len, what)
	local range = self:take(len, what)
	if not range then return nil end
	return range:le_uint(), tree:add_le(field, range)
end

-- Takes a length byte and that many bytes, and shows them. Returns them, which may be the empty string.
function Reader:counted(tree, len_field, field, what)
	local len = self:number(tree, len_field, 1, "length of the " .. what)
	if not len then return nil end
	if len == 0 then return "" end
	local range = self:take(len, what)
	if not range then return nil end
	tree:add(field, range)
	return range:raw()
end

return new
