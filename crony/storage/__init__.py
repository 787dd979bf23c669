"""Where schedules and runs are kept: a contract, and drivers that fulfil it.

A driver is found by the scheme of the store's URL among the entry points of the
group ``crony.storage``; each names a callable ``(url, *, home) -> Store``.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, cast

from crony import errors
from crony.storage.contract import Store

__all__ = ["open_store"]

GROUP = "crony.storage"

#: The drivers of this package, which are there also where it was not installed.
OWN = {
    "sqlite": "crony.storage.sql:SqlStore.from_url",
    "postgresql": "crony.storage.sql:SqlStore.from_url",
    "postgres": "crony.storage.sql:SqlStore.from_url",
    "memory": "crony.storage.memory:MemoryStore.from_url",
    "mongodb": "crony.storage.mongodb:from_url",
    "mongodb+srv": "crony.storage.mongodb:from_url",
    "redis": "crony.storage.redis:RedisStore.from_url",
    "rediss": "crony.storage.redis:RedisStore.from_url",
}


class _Driver(Protocol):
    def __call__(self, url: str, *, home: Path | None) -> Store: ...


def open_store(url: str, *, home: Path | None = None) -> Store:
    """Return the store of a URL, not opened yet.

    A relative path in the URL counts from ``home``.
    """
    scheme, colon, _ = url.partition(":")
    found = {name: EntryPoint(name, where, GROUP) for name, where in OWN.items()}
    found |= {point.name: point for point in entry_points(group=GROUP)}
    if not colon or scheme not in found:
        known = ", ".join(sorted(found))
        raise errors.InvalidSetting(
            "storage", "url", f'no driver for "{scheme}:"; there are: {known}'
        )
    driver = cast("_Driver", found[scheme].load())
    return driver(url, home=home)
