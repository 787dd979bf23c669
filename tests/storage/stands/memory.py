"""The reference."""

from __future__ import annotations

from crony.storage import open_store
from crony.storage.contract import Store
from tests.storage.stands.stand import Stand


class MemoryStand(Stand):
    """A store that is its process's alone."""

    name = "memory"
    shared = False

    def fresh(self) -> str:
        return "memory://"

    def new(self) -> Store:
        store = open_store(self.fresh())
        store.migrate()
        return store
