"""The Redis driver: one Lua script for each atomic verb.

``layout`` says what is kept under which key, ``scripts`` has the Lua, ``engine`` calls
it. A verb's module works out beforehand what is pure, and reads the answer.
"""

from __future__ import annotations

from crony import errors

try:
    from crony.storage.redis.store import RedisStore
except ModuleNotFoundError as exc:
    if exc.name not in ("msgpack", "redis"):
        raise
    raise errors.InvalidSetting(
        "storage",
        "url",
        "Redis needs its driver: from a clone of Crony, pip install '.[redis]'",
    ) from exc

__all__ = ["RedisStore"]
