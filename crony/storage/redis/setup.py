"""What a server must be set up like, what that promises, and the schema's version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from redis import exceptions

from crony import errors
from crony.storage.redis import layout
from crony.storage.redis.engine import Engine
from crony.storage.redis.faults import translated

#: The schema of this release, and the oldest whose nodes may work on it.
VERSION, FLOOR = 1, 1
#: Scripts say since then what they write.
_LEAST = 7
_SCHEMA = layout.prefix(layout.SCHEMA) + "numbers"

#: What a server says of itself.
_Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Promises:
    """What a store promises, as its server is set up; ``missing`` says what not."""

    keeps_tokens: bool = True
    missing: tuple[str, ...] = ()


def examine(engine: Engine) -> Promises:
    """Refuse a server that loses what it has acknowledged; return what others do."""
    with translated():
        facts = cast("_Facts", engine.client.info())
    _refuse(facts)
    missing = []
    said = _settings(engine)
    fsync = said.get("appendfsync")
    if fsync is None:
        missing.append(
            "whether the store has each write on its disk before it answers is not"
            " known: it does not say what its appendfsync is"
        )
    elif fsync != "always":
        missing.append(
            f"the store's appendfsync is {fsync}, not always: writes that it"
            " acknowledged in its last second may be lost with its host"
        )
    elif said.get("no-appendfsync-on-rewrite") == "yes":
        missing.append(
            "the store's no-appendfsync-on-rewrite is yes: writes that it acknowledged"
            " while it rewrites its file may be lost with its host"
        )
    replicated = facts.get("connected_slaves") != 0 or facts.get("role") != "master"
    if replicated:
        missing.append(
            "the store has replicas, which lag behind it: a failover to one of them may"
            " lose acknowledged writes, and hand out the same tokens again"
        )
    return Promises(not replicated, tuple(missing))


def _refuse(facts: _Facts) -> None:
    version = str(facts.get("redis_version", "0"))
    if int(version.partition(".")[0]) < _LEAST:
        raise errors.StoreUnusable(f"the store is Redis {version}; it takes {_LEAST}")
    if facts.get("cluster_enabled"):
        raise errors.StoreUnusable(
            "the store is a node of a cluster, which this driver does not speak to"
        )
    if not facts.get("aof_enabled"):
        raise errors.StoreUnsafe(
            "the store forgets with its process what it acknowledged: set appendonly"
            " yes and appendfsync always in its redis.conf"
        )
    if facts.get("maxmemory_policy") != "noeviction":
        raise errors.StoreUnsafe(
            "the store forgets keys when its memory is full: set maxmemory-policy"
            " noeviction in its redis.conf"
        )


def _settings(engine: Engine) -> Mapping[str, str]:
    """Return how the server writes its file, as far as it says so."""
    names = ("appendfsync", "no-appendfsync-on-rewrite")
    with translated():
        try:
            found = engine.client.config_get(*names)
        except (exceptions.NoPermissionError, exceptions.ResponseError) as exc:
            if isinstance(exc, exceptions.NoPermissionError) or "unknown" in str(exc):
                return {}
            raise
    said = cast("Mapping[str, str]", found)
    return {name: str(said[name]) for name in names if said.get(name) is not None}


def stored(engine: Engine) -> tuple[int, int] | None:
    """Return the schema's version and floor, if there is one."""
    with translated():
        version, floor = cast(
            "list[bytes | None]", engine.client.hmget(_SCHEMA, ["version", "floor"])
        )
    if version is None:
        return None
    return int(version), int(floor or version)


def migrate(engine: Engine) -> None:
    """Bring the schema to this release's, save where it is a newer one already."""
    floor = engine.call("schema_raise", layout.SCHEMA, version=VERSION, floor=FLOOR)
    if floor > VERSION:
        raise _needs(floor)


def require(engine: Engine) -> None:
    """Refuse a schema that this release can't work on."""
    found = stored(engine)
    if found is None or found[0] < VERSION:
        raise errors.StoreUnusable(
            f"the store has schema {found[0] if found else 'none'}, and this release"
            f" needs {VERSION}; starting the service brings it there"
        )
    if found[1] > VERSION:
        raise _needs(found[1])


def _needs(floor: int) -> errors.StoreUnusable:
    return errors.StoreUnusable(
        f"the store needs a release of schema {floor} or newer; this one has {VERSION}"
    )


def ping(engine: Engine) -> None:
    """Return if the server answers."""
    with translated():
        engine.client.ping()
