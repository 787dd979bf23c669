"""Where a store may be: real servers, of which one is killed, frozen or let go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from crony.testing.servers.mongodb import MongoDb, MongoDbSet
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.servers.process import Server
from crony.testing.servers.redis import Redis

PLACES: dict[str, Callable[[Path], Server | MongoDbSet]] = {
    "postgresql": PostgreSQL,
    "mongodb": MongoDb,
    "mongodb-three-members": lambda directory: MongoDbSet(directory, members=3),
    "redis": Redis,
}


class Place:
    """One of them; what is done to it is done to the server that takes writes."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._servers = PLACES[name](directory)
        self._victim: Server | None = None

    @property
    def url(self) -> str:
        return self._servers.url

    @property
    def fails_over(self) -> bool:
        """Whether others go on without the one that takes writes."""
        return isinstance(self._servers, MongoDbSet)

    def start(self) -> None:
        self._servers.start()

    def kill(self) -> None:
        self._writer().kill()

    def freeze(self) -> None:
        self._writer().freeze()

    def _writer(self) -> Server:
        servers = self._servers
        found = servers.primary() if isinstance(servers, MongoDbSet) else servers
        self._victim = found
        return found

    def revive(self) -> None:
        """Let what was killed or frozen go on; return when it answers."""
        victim, self._victim = self._victim, None
        if victim is None:
            return
        if victim.process is not None and victim.process.poll() is None:
            victim.thaw()
        else:
            victim.start()
        if isinstance(self._servers, MongoDbSet):
            self._servers.settle()

    def start_if_it_died(self) -> bool:
        """Start a server again that ended by itself; return whether it had."""
        server = self._servers
        assert isinstance(server, Server)
        assert server.process is not None
        # One that is about to end does not answer any more.
        while not server.answers():
            if server.process.poll() is not None:
                server.start()
                return True
            time.sleep(0.02)
        return False

    def close(self) -> None:
        self._servers.end()
