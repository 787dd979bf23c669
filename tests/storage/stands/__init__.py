"""The stores that the shared suite runs on: one stand for each way to set one up."""

from __future__ import annotations

from pathlib import Path

from tests.storage.stands.memory import MemoryStand
from tests.storage.stands.mongodb import MongoDbSetStand, MongoDbStand
from tests.storage.stands.postgresql import PostgresqlStand
from tests.storage.stands.redis import RedisStand
from tests.storage.stands.sqlite import SqliteStand
from tests.storage.stands.stand import Stand

__all__ = ["SHARED", "STANDS", "Stand", "make_stand"]

STANDS: dict[str, type[Stand]] = {
    stand.name: stand
    for stand in (
        MemoryStand,
        SqliteStand,
        PostgresqlStand,
        MongoDbStand,
        MongoDbSetStand,
        RedisStand,
    )
}

#: Those that other processes may open at the same time.
SHARED = [name for name, stand in STANDS.items() if stand.shared]


def make_stand(name: str, directory: Path) -> Stand:
    """Return a stand whose files are below that directory."""
    return STANDS[name](directory)
