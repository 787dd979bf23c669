"""The store in MongoDB as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from crony import errors
from crony.storage.contract import Capabilities, Stats, Store
from crony.storage.mongodb import news, numbers, promises, schema, tenants
from crony.storage.mongodb.answers import MongoAnswers
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.duties import MongoDuties
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.events import MongoEvents
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.groups import MongoGroups
from crony.storage.mongodb.keys import MongoKeys
from crony.storage.mongodb.leases import MongoLeases
from crony.storage.mongodb.logs import MongoLogs
from crony.storage.mongodb.moving import MongoMoving
from crony.storage.mongodb.profiles import MongoProfiles
from crony.storage.mongodb.runs import MongoRuns
from crony.storage.mongodb.schedules import MongoSchedules
from crony.storage.mongodb.tenants import MongoTenants
from crony.storage.mongodb.webhooks import MongoWebhooks
from crony.storage.mongodb.workers import MongoWorkers


class MongoStore(Store):
    """A store in one database of a server, a replica set or a cluster."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._database = database = Database(url)
        self._engine = engine = Engine(database)
        self.schedules = MongoSchedules(engine)
        self.runs = MongoRuns(engine)
        self.leases = MongoLeases(engine)
        self.logs = MongoLogs(engine)
        self.workers = MongoWorkers(engine)
        self.keys = MongoKeys(engine)
        self.tenants = MongoTenants(engine)
        self.groups = MongoGroups(engine)
        self.profiles = MongoProfiles(engine)
        self.events = MongoEvents(engine)
        self.webhooks = MongoWebhooks(engine)
        self.answers = MongoAnswers(engine)
        self.duties = MongoDuties(database)
        self.moving = MongoMoving(engine)

    @classmethod
    def from_url(cls, url: str, *, home: Path | None) -> Store:  # noqa: ARG003
        """Return the store of ``mongodb://host/database``."""
        # SECURITY: the URL may hold a password, and is not quoted.
        unknown = errors.InvalidSetting(
            "storage", "url", "it does not name a server: mongodb://host:27017/crony"
        )
        try:
            parts = urlsplit(url)
        except ValueError:
            raise unknown from None
        if not parts.netloc or "/" in parts.path.removeprefix("/") or parts.fragment:
            raise unknown
        return cls(url)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            durable=True, shared=True, remote=True, notifies=True, keeps_tokens=True
        )

    def migrate(self) -> None:
        database = Database(self._url)
        database.connect()
        try:
            schema.migrate(database)
            engine = Engine(database)
            engine.open()
            tenants.ensure_default(engine, now=_now(database))
        finally:
            database.close()

    def open(self) -> None:
        self._database.connect()
        try:
            schema.require(self._database)
            self._engine.open()
        except errors.CronyError:
            self._database.close()
            raise

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        with translated():
            self._database.client.admin.command("ping")

    def now(self) -> datetime:
        return _now(self._database)

    def tell(self, news_: bytes) -> None:
        news.tell(self._database, news_)

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        news.listen(self._database, hear, until=until)

    def cannot_promise(self) -> Sequence[str]:
        return promises.missing(self._database)

    def stats(self, tenant: str | None, *, now: datetime) -> Stats:
        return numbers.stats(self._engine, tenant, now=now)


def _now(database: Database) -> datetime:
    with translated():
        said = database.client.admin.command("hello")
    return cast("datetime", said["localTime"]).replace(tzinfo=UTC)
