-- The output of attempts, by run and token: a hash of what is known of it, a list of
-- the pieces of its head, which are never dropped, and one of the newest.

local logs = {}

local POSITION = 'position:'

local function key(run, token)
  return P .. 'log:' .. run .. ':' .. base.digits(token)
end

local function number(of, name)
  return tonumber(call('HGET', of, name) or 0)
end

-- Return the output of an attempt, of which `head` bytes are never dropped and at most
-- `bound` are kept.
function logs.open(run, token, head, bound)
  local of = key(run, token)
  return {
    key = of, head_bound = math.min(head, bound), bound = bound, positions = {},
    sequence = number(of, 'sequence'), kept = number(of, 'kept'),
    head = number(of, 'head'),
  }
end

local function keep(output, stream, offset, data, in_head)
  output.sequence = output.sequence + 1
  output.kept = output.kept + #data
  if in_head then
    output.head = output.head + #data
  end
  call('RPUSH', output.key .. (in_head and ':head' or ':rest'),
       pack({sequence = output.sequence, stream = stream, offset = offset,
             data = data}))
end

-- Keep a chunk, as far as it is new and there is room (rules.pieces).
function logs.add(output, chunk)
  local stream, offset, data = chunk.stream, chunk.offset, chunk.data
  local position = output.positions[stream] or number(output.key, POSITION .. stream)
  local ends = offset + #data
  if ends <= position then
    return
  end
  output.positions[stream] = ends
  data = data:sub(1 + math.max(0, position - offset))
  offset = math.max(offset, position)
  local room = output.head_bound - output.head
  if #data == 0 then
    keep(output, stream, offset, '', false)
  elseif room > 0 then
    keep(output, stream, offset, data:sub(1, room), true)
    data, offset = data:sub(room + 1), offset + math.min(room, #data)
  end
  if #data > 0 then
    local cut = math.max(0, #data - (output.bound - output.head_bound))
    keep(output, stream, offset + cut, data:sub(cut + 1), false)
  end
end

-- Drop the oldest pieces after the head, whole, and write what is known of the output.
function logs.close(output)
  while output.kept > output.bound do
    local oldest = call('LPOP', output.key .. ':rest')
    if not oldest then
      break
    end
    output.kept = output.kept - #unpacked(oldest).data
  end
  call('HSET', output.key, 'sequence', output.sequence, 'kept', output.kept,
       'head', output.head)
  for stream, position in pairs(output.positions) do
    call('HSET', output.key, POSITION .. stream, position)
  end
end

-- Return how many bytes an attempt has written, and how many of them are kept.
function logs.written(run, token)
  local written, kept = 0, 0
  local fields = call('HGETALL', key(run, token))
  for n = 1, #fields, 2 do
    if fields[n]:sub(1, #POSITION) == POSITION then
      written = written + tonumber(fields[n + 1])
    elseif fields[n] == 'kept' then
      kept = tonumber(fields[n + 1])
    end
  end
  return written, kept
end

-- Return the pieces that are kept after a sequence, each with the gap before it.
function logs.pieces(run, token, after)
  local all, ends, found = {}, {}, {}
  for _, part in ipairs({':head', ':rest'}) do
    for _, raw in ipairs(call('LRANGE', key(run, token) .. part, 0, -1)) do
      all[#all + 1] = unpacked(raw)
    end
  end
  table.sort(all, function(one, other) return one.sequence < other.sequence end)
  for _, piece in ipairs(all) do
    piece.dropped = piece.offset - (ends[piece.stream] or 0)
    ends[piece.stream] = piece.offset + #piece.data
    if piece.sequence > after then
      found[#found + 1] = piece
    end
  end
  return found
end

-- Forget the output of an attempt.
function logs.drop(run, token)
  local of = key(run, token)
  call('UNLINK', of, of .. ':head', of .. ':rest')
end

-- Keep the pieces of an attempt that is closed, as they were elsewhere, where so many
-- bytes were written.
function logs.restore(run, token, pieces, written)
  local of = key(run, token)
  local kept, sequence = 0, 0
  for _, piece in ipairs(pieces) do
    call('RPUSH', of .. ':rest', pack(piece))
    kept, sequence = kept + #piece.data, piece.sequence
    call('HSET', of, POSITION .. piece.stream, piece.offset + #piece.data)
  end
  call('HSET', of, 'sequence', sequence, 'kept', kept, 'head', 0)
  -- Of a stream of which nothing is kept, only that much is known.
  local rest = written - logs.written(run, token)
  if rest > 0 then
    call('HSET', of, POSITION, rest)
  end
end
