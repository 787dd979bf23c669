"""Idle schedules by the million: copies of one, made inside the database.

To have a store make a million takes a quarter of an hour, and in five of them more than
an hour. A copy has all records and index entries of the one that it is copied from,
under an id of its own; the event of its creation alone is missing, which a service has
forgotten after a day.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

#: So many in one step.
_PIECE = 20_000
#: A copy's id: as long as the original's, and above all that were made.
_DIGITS = 26

#: In SQL, the tables that have rows of a schedule, and by which column.
_TABLES = {"definitions": "schedule", "versions": "schedule", "schedules": "id"}

Copy = Callable[[str, str, int], Iterator[int]]


def identity(number: int) -> str:
    """Return the id of a copy."""
    return f"sch_{number:0{_DIGITS}}"


def _pieces(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, _PIECE):
        yield start, min(start + _PIECE, count)


def in_sqlite(url: str, original: str, count: int) -> Iterator[int]:
    """Copy one schedule so often; say how many after each step."""
    path = url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, isolation_level=None)
    for start, end in _pieces(count):
        connection.execute("BEGIN IMMEDIATE")
        for table, column in _TABLES.items():
            info = connection.execute(f"PRAGMA table_info({table})").fetchall()
            names = [name for _, name, *_ in info]
            chosen = [
                f"'sch_' || printf('%0{_DIGITS}d', n)" if name == column else name
                for name in names
            ]
            connection.execute(
                f"WITH RECURSIVE numbers (n) AS (SELECT {start} UNION ALL"
                f" SELECT n + 1 FROM numbers WHERE n < {end - 1})"
                f" INSERT INTO {table} ({', '.join(names)})"
                f" SELECT {', '.join(chosen)} FROM numbers, {table}"
                f" WHERE {table}.{column} = ?",
                [original],
            )
        connection.execute("COMMIT")
        yield end - start
    connection.close()


def in_postgresql(url: str, original: str, count: int) -> Iterator[int]:
    """Copy one schedule so often; say how many after each step."""
    import psycopg

    with psycopg.connect(url) as connection:
        for start, end in _pieces(count):
            for table, column in _TABLES.items():
                found = connection.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
                    " AND attnum > 0 AND NOT attisdropped",
                    [table],
                )
                names = [str(name) for (name,) in found]
                chosen = [
                    f"'sch_' || lpad(n::text, {_DIGITS}, '0')"
                    if name == column
                    else f'"{name}"'
                    for name in names
                ]
                quoted = ", ".join(f'"{name}"' for name in names)
                connection.execute(
                    f"INSERT INTO {table} ({quoted}) SELECT {', '.join(chosen)}"
                    f" FROM {table}, generate_series({start}, {end - 1}) n"
                    f" WHERE {table}.{column} = '{original}'"
                )
            connection.commit()
            yield end - start
        connection.autocommit = True
        # As the server does by itself, after a while.
        connection.execute("VACUUM ANALYZE")


def in_mongodb(url: str, original: str, count: int) -> Iterator[int]:
    """Copy one schedule so often; say how many after each step."""
    import pymongo
    from pymongo.write_concern import WriteConcern

    owners = {"definitions": "schedule", "versions": "schedule", "schedules": "id"}
    with pymongo.MongoClient[dict[str, object]](url) as client:
        # It is no verb, and nobody waits for it: the last one is durable, and so all.
        database = client.get_default_database().with_options(
            write_concern=WriteConcern(w=1, j=False)
        )
        for start, end in _pieces(count):
            for name, column in owners.items():
                (found,) = database[name].find({column: original})
                one = str(found["_id"])
                copies = []
                for number in range(start, end):
                    id = identity(number)
                    copies.append(
                        found | {"_id": one.replace(original, id), column: id}
                    )
                database[name].insert_many(copies, ordered=False)
            yield end - start


#: ARGV: the original's id, where to start and end, and what is copied, as JSON: the
#: kind, the key, where in ARGV its bytes are, and whether the id is in the key, in the
#: first and in the second of them.
_COPY = """
local original, digits = ARGV[1], tonumber(ARGV[2])
local entries = cjson.decode(ARGV[5])
for number = tonumber(ARGV[3]), tonumber(ARGV[4]) - 1 do
  local copy = 'sch_' .. string.format('%0' .. digits .. 'd', number)
  for _, entry in ipairs(entries) do
    local kind, key, at = entry[1], entry[2], tonumber(entry[3])
    local text, value = ARGV[at], ARGV[at + 1]
    if entry[4] then key = key:gsub(original, copy) end
    if entry[5] then text = text:gsub(original, copy) end
    if kind == 'zset' then
      redis.call('ZADD', key, value, text)
    elseif kind == 'hash' then
      if entry[6] then value = value:gsub(original, copy) end
      redis.call('HSET', key, text, value)
    else
      redis.call('RPUSH', key, text)
    end
  end
end
"""


def in_redis(url: str, original: str, count: int) -> Iterator[int]:
    """Copy one schedule so often; say how many after each step."""
    import redis

    with redis.Redis.from_url(url) as client:
        entries, words = _entries_of(client, original)
        script = client.register_script(_COPY)
        for first, end in _pieces(count):
            for start in range(first, end, 1000):
                script(
                    args=[
                        original,
                        _DIGITS,
                        start,
                        min(start + 1000, end),
                        json.dumps(entries),
                        *words,
                    ]
                )
            yield end - first


def _entries_of(
    client: object, original: str
) -> tuple[list[list[object]], list[bytes]]:
    """Return all that a Redis has of a schedule: what and where, and the bytes."""
    import redis

    assert isinstance(client, redis.Redis)
    entries: list[list[object]] = []
    # Before them stand the original, the digits, start, end and the entries.
    words: list[bytes] = []

    def note(kind: str, key: bytes, *parts: bytes) -> None:
        has = [name in each for each in (key, *parts)]
        entries.append([kind, key.decode(), 6 + len(words), *has])
        words.extend(parts)

    name = original.encode()
    for key in client.scan_iter(count=10_000):
        if b":events" in key:
            continue
        kind = client.type(key).decode()
        own = name in key
        if kind == "zset":
            match = "*" if own else f"*{original}*"
            for member, score in client.zscan_iter(key, match=match, count=10_000):
                note("zset", key, member, repr(score).encode())
        elif kind == "hash":
            match = "*" if own else f"*{original}*"
            for field, value in client.hscan_iter(key, match=match, count=10_000):
                note("hash", key, field, value)
        elif kind == "list" and own:
            for value in client.lrange(key, 0, -1):
                note("list", key, value)
    return entries, words


def of(url: str) -> Copy:
    """Return what copies in the database of a URL."""
    scheme = urlsplit(url).scheme.partition("+")[0]
    return {
        "sqlite": in_sqlite,
        "postgresql": in_postgresql,
        "mongodb": in_mongodb,
        "redis": in_redis,
    }[scheme]
