"""What a stand is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing.servers.process import Server


class Stand(ABC):
    """One way to set a store up; it has a store at a time.

    Where that takes a server, it is started by the first ``fresh``, serves all tests
    of a process, and ends with ``close``.
    """

    name: ClassVar[str]
    #: Whether other processes may open the store at the same time.
    shared: ClassVar[bool] = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server: Server | None = None

    @abstractmethod
    def fresh(self) -> str:
        """Return the URL of an empty store, migrated; the one before may be gone."""

    def new(self) -> Store:
        """Return an empty store, migrated and not open."""
        return open_store(self.fresh())

    def close(self) -> None:
        """End the server, if one was started."""
        if self.server is not None:
            self.server.end()
