"""The SQL store as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from crony import errors
from crony.storage.contract import Capabilities, Stats, Store
from crony.storage.sql import numbers, tenants, versions
from crony.storage.sql.answers import SqlAnswers
from crony.storage.sql.databases import database_of
from crony.storage.sql.dialect import text
from crony.storage.sql.duties import SqlDuties
from crony.storage.sql.engine import Database
from crony.storage.sql.events import SqlEvents
from crony.storage.sql.groups import SqlGroups
from crony.storage.sql.keys import SqlKeys
from crony.storage.sql.leases import SqlLeases
from crony.storage.sql.logs import SqlLogs
from crony.storage.sql.moving import SqlMoving
from crony.storage.sql.profiles import SqlProfiles
from crony.storage.sql.runs import SqlRuns
from crony.storage.sql.schedules import SqlSchedules
from crony.storage.sql.tenants import SqlTenants
from crony.storage.sql.webhooks import SqlWebhooks
from crony.storage.sql.workers import SqlWorkers

_PING = text("SELECT 1 FROM tenants LIMIT 1")


class SqlStore(Store):
    """A store in a database, whichever it is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.schedules = SqlSchedules(database)
        self.runs = SqlRuns(database)
        self.leases = SqlLeases(database)
        self.logs = SqlLogs(database)
        self.workers = SqlWorkers(database)
        self.keys = SqlKeys(database)
        self.tenants = SqlTenants(database)
        self.groups = SqlGroups(database)
        self.profiles = SqlProfiles(database)
        self.events = SqlEvents(database)
        self.webhooks = SqlWebhooks(database)
        self.answers = SqlAnswers(database)
        self.duties = SqlDuties(database)
        self.moving = SqlMoving(database)

    @classmethod
    def from_url(cls, url: str, *, home: Path | None) -> Store:
        """Return the store of a URL; the path of a file counts from ``home``."""
        return cls(database_of(url, home=home))

    @property
    def capabilities(self) -> Capabilities:
        return self._database.capabilities

    def migrate(self) -> None:
        database = self._database.unconnected()
        database.create()
        database.connect()
        try:
            with database.reading() as connection:
                versions.current(connection)
            # Of two that migrate at once, one waits here, and finds it done.
            with database.migrating() as connection:
                if versions.is_behind(versions.current(connection)):
                    # What it needs takes long to import, and only this needs it.
                    from crony.storage.sql import schema

                    schema.upgrade(connection, database.alchemy_url())
                tenants.ensure_default(connection, now=database.now())
        finally:
            database.close()

    def open(self) -> None:
        self._database.connect()
        try:
            with self._database.reading() as connection:
                versions.require(connection)
        except errors.CronyError:
            self._database.close()
            raise

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        with self._database.reading() as connection:
            connection.execute(_PING)

    def now(self) -> datetime:
        return self._database.now()

    def tell(self, news: bytes) -> None:
        self._database.tell(news)

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        self._database.listen(hear, until=until)

    def cannot_promise(self) -> Sequence[str]:
        return self._database.cannot_promise()

    def stats(self, tenant: str | None, *, now: datetime) -> Stats:
        with self._database.snapshot() as connection:
            return numbers.stats(connection, tenant, now=now)
