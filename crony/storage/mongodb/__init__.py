"""The driver for MongoDB: a server by itself, a replica set, or a sharded cluster.

A verb is one compare-and-swap on one document, the head of its tenant, which holds
all the writes of the verb until they are in place: see ``engine``.
"""

from __future__ import annotations

from pathlib import Path

from crony import errors
from crony.storage.contract import Store

__all__ = ["from_url"]


def from_url(url: str, *, home: Path | None) -> Store:
    """Return the store of ``mongodb://host,host/database?replicaSet=name``."""
    try:
        from crony.storage.mongodb.store import MongoStore
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] not in ("pymongo", "bson"):
            raise
        raise errors.InvalidSetting(
            "storage",
            "url",
            "MongoDB needs its driver: from a clone of Crony, pip install '.[mongodb]'",
        ) from exc
    return MongoStore.from_url(url, home=home)
