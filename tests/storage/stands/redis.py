"""Redis: one server, emptied for each store."""

from __future__ import annotations

from redis import Redis as Client

from crony.storage import open_store
from crony.testing.servers.redis import Redis
from tests.storage.stands.stand import Stand


class RedisStand(Stand):
    """A server of its own, with every write on its disk."""

    name = "redis"

    def fresh(self) -> str:
        if self.server is None:
            self.server = Redis(self.directory / "redis").start()
        with Client.from_url(self.server.url, socket_timeout=30) as client:
            client.flushall()
        open_store(self.server.url).migrate()
        return self.server.url
