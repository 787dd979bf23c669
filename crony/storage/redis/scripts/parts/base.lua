-- What every script begins with: its prefix, its arguments, and instants as text.

local P = KEYS[1]
local call = redis.call
local pack, unpacked = cmsgpack.pack, cmsgpack.unpack
local args = unpacked(ARGV[1])

local base = {}

local texts = {}

-- An instant as text of a fixed width, in the order of instants (layout.py has it too).
function base.sortable(instant)
  local text = texts[instant]
  if not text then
    -- PERF: a step meets few instants, and each of them many times.
    text = string.format('%015.0f', instant + 62135596800000)
    texts[instant] = text
  end
  return text
end

-- What base.sortable was given.
function base.instant(text)
  return tonumber(text) - 62135596800000
end

-- A whole number as text: Lua's own way loses digits beyond the fourteenth.
function base.digits(number)
  return string.format('%.0f', number)
end

-- The answer that the driver raises as the error of this name.
function base.refused(...)
  return pack({refused = {...}})
end

-- A record, or nil.
function base.record(raw)
  return raw and unpacked(raw) or nil
end
