"""The SQL store as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import text

from crony import clock, errors
from crony.storage.contract import Capabilities, Stats, Store
from crony.storage.sql import dialect, numbers, tenants, versions
from crony.storage.sql.answers import SqlAnswers
from crony.storage.sql.duties import SqlDuties
from crony.storage.sql.engine import Database, translated
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
    """A store in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._database = database = Database(path)
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
        """Return the store of ``sqlite:///path``; a relative path is in ``home``."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path.removeprefix("/")))
        if parts.netloc or parts.query or parts.fragment or path == Path():
            raise errors.InvalidSetting(
                "storage", "url", f'"{url}" does not name a file: sqlite:///crony.db'
            )
        return cls(path if home is None else home / path)

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            durable=True,
            shared=True,
            remote=False,
            notifies=False,
            keeps_tokens=True,
        )

    def migrate(self) -> None:
        # Alembic takes long to import, and only this needs it.
        from crony.storage.sql import schema

        database = Database(self._database.path)
        database.create()
        database.connect()
        try:
            with database.reading() as connection:
                versions.current(connection)
                connection.exec_driver_sql(dialect.FILE_SETTINGS)
            # Of two that migrate at once, one waits here, and finds it done.
            with database.writing() as connection:
                if versions.current(connection) != versions.KNOWN[-1]:
                    schema.upgrade(connection)
                tenants.ensure_default(connection, now=self.now())
        finally:
            database.close()

    def open(self) -> None:
        with translated():
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
        return clock.host_now()

    def tell(self, news: bytes) -> None:
        pass

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        pass

    def cannot_promise(self) -> Sequence[str]:
        return ()

    def stats(self, tenant: str | None, *, now: datetime) -> Stats:
        with self._database.snapshot() as connection:
            return numbers.stats(connection, tenant, now=now)
