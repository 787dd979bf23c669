"""The Redis store as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from redis import ConnectionPool

from crony import errors
from crony.storage.contract import Capabilities, Stats, Store
from crony.storage.redis import numbers, setup, telling, tenants
from crony.storage.redis.answers import RedisAnswers
from crony.storage.redis.duties import RedisDuties
from crony.storage.redis.engine import Engine
from crony.storage.redis.events import RedisEvents
from crony.storage.redis.groups import RedisGroups
from crony.storage.redis.keys import RedisKeys
from crony.storage.redis.leases import RedisLeases
from crony.storage.redis.logs import RedisLogs
from crony.storage.redis.moving import RedisMoving
from crony.storage.redis.profiles import RedisProfiles
from crony.storage.redis.records import Reader
from crony.storage.redis.runs import RedisRuns
from crony.storage.redis.schedules import RedisSchedules
from crony.storage.redis.tenants import RedisTenants
from crony.storage.redis.webhooks import RedisWebhooks
from crony.storage.redis.workers import RedisWorkers


class RedisStore(Store):
    """A store in one Redis database."""

    def __init__(self, url: str) -> None:
        self._engine = engine = Engine(url)
        self._promises = setup.Promises()
        reader = Reader(engine)
        self.schedules = RedisSchedules(engine, reader)
        self.runs = RedisRuns(engine, reader)
        self.leases = RedisLeases(engine, reader)
        self.logs = RedisLogs(engine)
        self.workers = RedisWorkers(engine)
        self.keys = RedisKeys(engine)
        self.tenants = RedisTenants(engine)
        self.groups = RedisGroups(engine)
        self.profiles = RedisProfiles(engine)
        self.events = RedisEvents(engine, reader)
        self.webhooks = RedisWebhooks(engine)
        self.answers = RedisAnswers(engine)
        self.duties = RedisDuties(engine)
        self.moving = RedisMoving(engine, reader)

    @classmethod
    def from_url(cls, url: str, *, home: Path | None) -> Store:  # noqa: ARG003
        """Return the store of ``redis://[user:password@]host[:port][/database]``."""
        check_url(url)
        return cls(url)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            durable=True,
            shared=True,
            remote=True,
            notifies=True,
            keeps_tokens=self._promises.keeps_tokens,
        )

    def migrate(self) -> None:
        engine = self._engine
        engine.connect()
        try:
            setup.examine(engine)
            setup.migrate(engine)
            tenants.ensure_default(engine, now=self.now())
        finally:
            engine.close()

    def open(self) -> None:
        self._engine.connect()
        try:
            self._promises = setup.examine(self._engine)
            setup.require(self._engine)
        except errors.CronyError:
            self._engine.close()
            raise

    def close(self) -> None:
        self._engine.close()

    def ping(self) -> None:
        setup.ping(self._engine)

    def now(self) -> datetime:
        return self._engine.now()

    def tell(self, news: bytes) -> None:
        telling.tell(self._engine, news)

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        telling.listen(self._engine, hear, until=until)

    def cannot_promise(self) -> Sequence[str]:
        return self._promises.missing

    def stats(self, tenant: str | None, *, now: datetime) -> Stats:
        return numbers.stats(self._engine, tenant, now=now)


def check_url(url: str) -> None:
    """Refuse an URL that names no server; its password is in no error."""
    try:
        parts = urlsplit(url)
        database = parts.path.strip("/")
        named = bool(parts.hostname) and (not database or database.isdigit())
        # What the library makes of its parameters is seen where a connection is made.
        ConnectionPool.from_url(url).make_connection()
    except (TypeError, ValueError):
        named = False
    if not named:
        raise errors.InvalidSetting(
            "storage", "url", "it names no server: redis://127.0.0.1:6379/0"
        )
