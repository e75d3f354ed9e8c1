-- SPDX-License-Identifier: GPL-2.0 OR MIT
--
-- What earlier frames say about later ones: the channels of each link, and which answer is for which
-- request. It is made when Wireshark dissects the frames for the first time, in their order, and kept by
-- the number of the frame for all later times.
--
-- The fields of a frame tell the link and the direction, but there are none where Wireshark makes no tree:
-- in the first pass of tshark -2 without a filter. What was made then only serves to hand IP on, and is
-- made anew.

if not ... then return end

local state = {}
local links, frames, had_tree

function state.reset()
	links, frames, had_tree = {}, {}, nil
end
state.reset()

-- Begins a frame. Returns what is known of it; `done` is set after the first time.
function state.begin(number, has_tree)
	if has_tree and had_tree == false then state.reset() end
	had_tree = has_tree
	return state.frame(number)
end

-- What is known of a frame.
function state.frame(number)
	local frame = frames[number]
	if not frame then
		frame = {}
		frames[number] = frame
	end
	return frame
end

-- The same, or nil if nothing is known.
function state.peek(number)
	return frames[number]
end

function state.link(key)
	local link = links[key]
	if not link then
		link = { pending = {}, channels = {}, gone = {}, partial = {} }
		links[key] = link
	end
	return link
end

-- Whether two directions can be those of a request and its answer: one may be unknown.
local function opposite(one, other)
	return one == nil or other == nil or one ~= other
end

-- A request. Returns the exchange, to which an answer may be added later.
function state.request(link, dir, command, key, number, time)
	local exchange = { dir = dir, request = number, time = time }
	local which = command .. ":" .. key
	local pending = link.pending[which] or {}
	link.pending[which] = pending
	table.insert(pending, exchange)
	return exchange
end

-- An answer. Returns the exchange of the oldest request that it can be for, or nil.
function state.answer(link, dir, command, key, number, time)
	local pending = link.pending[command .. ":" .. key] or {}
	for at, exchange in ipairs(pending) do
		if opposite(exchange.dir, dir) then
			table.remove(pending, at)
			exchange.answer = number
			exchange.took = time - exchange.time
			return exchange
		end
	end
	return nil
end

-- What there is of packets of a channel is of no use any more.
local function forget(link, id)
	for _, dir in ipairs({ "up", "down", "unknown" }) do
		link.partial[dir .. id] = nil
	end
end

-- A success gave the id to a channel. Returns the one that had it, if any.
--
-- Linux lets the one stay that has the id, and gives the new one up. But if the modem was started
-- again, which no frame tells, all its ids are free.
function state.open(link, id, channel)
	local old = link.channels[id]
	channel.id = id
	forget(link, id)
	channel.before = old
	if old and old.key == channel.key then channel.before = old.before end
	link.channels[id] = channel
	return old
end

-- Linux gave the channel of that id up: if nobody used it, it was not the one that had the id before.
function state.close(link, id, number)
	local channel = link.channels[id]
	if not channel then return end
	link.channels[id] = not channel.used and channel.before or nil
	link.gone[id] = number
	forget(link, id)
end

-- A frame of a channel. Returns the channel, or nil and the frame that gave it up, if any.
function state.use(link, id)
	local channel = link.channels[id]
	if channel then
		channel.used = true
		return channel
	end
	return nil, link.gone[id]
end

return state
