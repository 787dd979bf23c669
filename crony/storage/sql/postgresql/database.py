"""A database of a PostgreSQL server.

Writes about one tenant go one after the other, as SQLite's do: each takes the tenant's
lock first. Every statement sees the newest state (READ COMMITTED), and the lock is let
go after the commit is visible: whoever gets it sees all that was done under it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import psycopg
from psycopg import pq

from crony.storage.codec import instant_in
from crony.storage.contract import Capabilities
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text
from crony.storage.sql.engine import Database, closed
from crony.storage.sql.lending import Loan, Transaction
from crony.storage.sql.pool import Pool
from crony.storage.sql.postgresql import promises, telling
from crony.storage.sql.postgresql.connection import (
    BoundedConnection,
    connect,
    is_stale,
    parameters,
)
from crony.storage.sql.postgresql.meaning import meaning, translated

#: So many a process keeps, and so many it may have at once.
_KEPT, _MOST = 5, 40

_NOW = text(
    "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)"
)


#: Each is one round trip, with the locks that come after it.
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_PATIENTLY = "; SET LOCAL statement_timeout = 0"
# Between two statements a migration reads its next step from the disk of a host that
# may have much else to do.
_MIGRATING = (
    _PATIENTLY
    + "; SET LOCAL idle_in_transaction_session_timeout = 60000"
    + "; SET LOCAL lock_timeout = 0"
)


class PostgresqlDatabase(Database):
    """A database by its URL, with the connections of this process."""

    one_writer = False
    # An acknowledged token is on stable storage, and on each synchronous standby. One
    # that is not synchronous may lack it: then ``cannot_promise`` says so.
    capabilities = Capabilities(
        durable=True, shared=True, remote=True, notifies=True, keeps_tokens=True
    )

    def __init__(self, url: str) -> None:
        self._url = url
        self._given = parameters(url)
        self._pool: Pool[BoundedConnection] | None = None

    def unconnected(self) -> Database:
        return PostgresqlDatabase(self._url)

    def create(self) -> None:
        """Do nothing: a database is made by those who run the server."""

    def connect(self) -> None:
        self._pool = Pool(
            lambda: connect(self._given),
            BoundedConnection.close,
            usable=lambda idle: not is_stale(idle),
            clean=self._is_clean,
            kept=_KEPT,
            most=_MOST,
        )

    def _is_clean(self, connection: BoundedConnection) -> bool:
        """Return whether one that comes back is whole, and nothing was left open."""
        connection.patient = False
        if connection.closed and self._pool is not None:
            # The others may lead to the same server, and be silent.
            self._pool.drain()
        return connection.info.transaction_status == pq.TransactionStatus.IDLE

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def reading(self) -> Loan:
        pool = self._pool
        if pool is None:
            raise closed()
        return Loan(pool, "postgresql", foreign=psycopg.Error, meaning=meaning)

    def snapshot(self) -> Transaction:
        return self._transaction(_READ)

    def writing(self, *names: str) -> Transaction:
        return self._transaction(_WRITE + _lock(names))

    def _transaction(self, begin: str) -> Transaction:
        return Transaction(self.reading(), begin, roll_back=_roll_back)

    @contextmanager
    def clearing(self, name: str) -> Iterator[Connection]:
        begin = _WRITE + _PATIENTLY + _lock([name])
        with self._transaction(begin) as connection:
            connection.driver.patient = True
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        begin = _WRITE + _MIGRATING
        with self._transaction(begin) as connection:
            connection.driver.patient = True
            connection.command(_lock([""]).removeprefix("; "))
            yield connection

    def alchemy_url(self) -> str:
        return "postgresql+psycopg://"

    def now(self) -> datetime:
        with self.reading() as connection:
            return instant_in(connection.execute(_NOW).scalar_one())

    def tell(self, news: bytes) -> None:
        with self.reading() as connection:
            telling.tell(connection, news)

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        if self._pool is None:
            raise closed()
        with translated(), connect(self._given) as connection:
            telling.listen(connection, hear, until=until)

    def cannot_promise(self) -> Sequence[str]:
        with self.reading() as connection:
            return promises.missing(connection)


def _lock(names: Iterable[str]) -> str:
    """Return what takes locks, in one order, so that no two wait for each other."""
    keys = ",".join(map(str, sorted({_key(name) for name in names})))
    if not keys:
        return ""
    return (
        "; SELECT pg_advisory_xact_lock(key)"
        f" FROM unnest(CAST('{{{keys}}}' AS bigint[])) locks(key)"
    )


def _key(name: str) -> int:
    """Return the number of the lock of a name, among all locks of the database."""
    digest = hashlib.sha256(b"crony\0" + name.encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _roll_back(connection: Connection) -> None:
    """End a transaction that failed; what keeps us from it must not hide why."""
    if connection.driver.closed:
        # It ended with its connection.
        return
    try:
        connection.command("ROLLBACK")
    except psycopg.Error:
        connection.driver.close()
