"""SQLite: one file, and one writer at a time.

Reads run in autocommit, or in one snapshot where several statements must agree.
Writes take the write lock at once. Within a process they queue at a lock of
ours first: SQLite's own waiting is a sleep between tries.

What was written goes from the log into the file on a thread of its own, so that no
commit waits for that, and nobody for the commit.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from crony import clock, errors, log
from crony.storage.contract import Capabilities
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import sqlite as dialect
from crony.storage.sql.engine import Database, closed, unavailable
from crony.storage.sql.lending import Loan, Transaction
from crony.storage.sql.pool import Pool

#: So many a process keeps, each with its cache, and so many it may have at once.
_KEPT, _MOST = 16, 1000
#: So much is written, in rows and commits, before it goes from the log into the file:
#: a fifth of a page each where runs are leased and reported, most of one where pruned.
_WRITTEN = 4000
#: So many statements stay prepared in each: all that there are, and of those that rows
#: are written by, which there are in many combinations, the last.
_PREPARED = 500

#: Result codes (the low byte) that pass, and what the store says of them.
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "the store is locked by another process",
    sqlite3.SQLITE_LOCKED: "the store is locked by another process",
    sqlite3.SQLITE_FULL: "the store's disk is full",
    sqlite3.SQLITE_IOERR: "the store's disk does not read or write",
    sqlite3.SQLITE_NOMEM: "the store has no memory left",
    sqlite3.SQLITE_INTERRUPT: "the store was interrupted",
    sqlite3.SQLITE_PROTOCOL: "the store is locked by another process",
}

#: Result codes that only people can mend.
_UNUSABLE = {
    sqlite3.SQLITE_CORRUPT: "the store's file is damaged; restore a backup",
    sqlite3.SQLITE_NOTADB: "the store's file is not a database",
    sqlite3.SQLITE_CANTOPEN: "the store's file can't be opened",
    sqlite3.SQLITE_READONLY: "the store's file can't be written",
    sqlite3.SQLITE_PERM: "the store's file can't be accessed",
    sqlite3.SQLITE_AUTH: "the store's file can't be accessed",
}


def _meaning(caught: BaseException) -> errors.CronyError:
    code = getattr(caught, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in _UNAVAILABLE:
        return unavailable(_UNAVAILABLE[primary])
    if primary in _UNUSABLE:
        return errors.StoreUnusable(_UNUSABLE[primary])
    name = getattr(caught, "sqlite_errorname", None) or type(caught).__name__
    return errors.StoreUnusable(f"the store refused a statement: {name}")


class SqliteDatabase(Database):
    """A file, with the connections of this process."""

    one_writer = True
    capabilities = Capabilities(
        durable=True, shared=True, remote=False, notifies=False, keeps_tokens=True
    )

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._pool: Pool[sqlite3.Connection] | None = None
        self._log = _Log(self.reading, self._lock)

    def unconnected(self) -> Database:
        return SqliteDatabase(self.path)

    def create(self) -> None:
        """Make the file, for its owner alone; what SQLite adds has the same mode."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as caught:
            raise errors.StoreUnusable(
                f"the store's file {self.path} can't be made: {caught.strerror}"
            ) from caught

    def connect(self) -> None:
        if not self.path.is_file():
            raise errors.StoreUnusable(f"there is no store at {self.path}")
        self._pool = Pool(
            self._connected,
            sqlite3.Connection.close,
            usable=lambda _: True,
            clean=_is_clean,
            kept=_KEPT,
            most=_MOST,
        )

    def _connected(self) -> sqlite3.Connection:
        made = sqlite3.connect(
            self.path,
            # Python's driver would begin transactions by itself, and too late.
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_PREPARED,
        )
        for statement in dialect.CONNECTION_SETTINGS:
            made.execute(statement)
        return made

    def close(self) -> None:
        self._log.finish()
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def reading(self) -> Loan:
        pool = self._pool
        if pool is None:
            raise closed()
        return Loan(pool, "sqlite", foreign=sqlite3.Error, meaning=_meaning)

    def snapshot(self) -> Transaction:
        return Transaction(self.reading(), dialect.BEGIN_READ, roll_back=_roll_back)

    def writing(self, *names: str) -> Transaction:
        return _Writing(self.reading(), lock=self._lock, log=self._log)

    def clearing(self, name: str) -> Transaction:
        return self.writing(name)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self.reading() as connection:
            connection.command(dialect.FILE_SETTINGS)
        with self.writing() as connection:
            yield connection

    def alchemy_url(self) -> str:
        return "sqlite+pysqlite://"

    def now(self) -> datetime:
        return clock.host_now()

    def tell(self, news: bytes) -> None:
        """Do nothing: it does not carry news."""

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        """Return at once: it does not carry news."""

    def cannot_promise(self) -> Sequence[str]:
        return ()


_log = log.get(__name__)

_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class _Log:
    """The log of what was written: it goes into the file now and then."""

    def __init__(self, reading: Callable[[], Loan], writers: threading.Lock) -> None:
        self._reading = reading
        self._writers = writers
        self._lock = threading.Lock()
        self._written = 0
        self._thread: threading.Thread | None = None

    def grew(self, rows: int) -> None:
        """Note what a commit wrote; see to the log if that is enough."""
        with self._lock:
            self._written += rows + 1
            if self._written < _WRITTEN or self._thread is not None:
                return
            thread = threading.Thread(target=self._empty, name="crony-log", daemon=True)
            # A host without room for one more thread must not fail what is written.
            with suppress(RuntimeError):
                thread.start()
                self._thread, self._written = thread, 0

    def _empty(self) -> None:
        try:
            with self._reading() as connection:
                # Whoever reads or writes goes on meanwhile, twice.
                for _ in range(2):
                    connection.command(_CHECKPOINT).all()
                # The log begins anew once all of it is in the file: only for the
                # little that came last the writers of this process wait.
                with self._writers:
                    connection.command(_CHECKPOINT).all()
        except Exception as exc:  # noqa: BLE001  # the commits that follow try it too
            _log.warning("the log stays as it is", detail=str(exc))
        finally:
            with self._lock:
                self._thread = None

    def finish(self) -> None:
        """Wait for what is under way."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()


class _Writing(Transaction):
    """A transaction that notes how much it wrote."""

    __slots__ = ("_before", "_log")

    def __init__(self, loan: Loan, *, lock: threading.Lock, log: _Log) -> None:
        super().__init__(loan, dialect.BEGIN_WRITE, roll_back=_roll_back, lock=lock)
        self._log = log

    def __enter__(self) -> Connection:
        connection = super().__enter__()
        self._before = connection.driver.total_changes
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        caught: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            rows = self._connection.driver.total_changes - self._before
        except sqlite3.ProgrammingError:
            # Somebody has closed it.
            rows = 0
        super().__exit__(kind, caught, trace)
        if rows:
            self._log.grew(rows)


def _roll_back(connection: Connection) -> None:
    """End a transaction that failed; some failures have ended it already."""
    # One that is left open, or closed, is not lent again.
    with suppress(sqlite3.Error):
        if connection.driver.in_transaction:
            connection.command("ROLLBACK")


def _is_clean(connection: sqlite3.Connection) -> bool:
    """Return whether nothing was left open: a failed commit may be."""
    try:
        return not connection.in_transaction
    except sqlite3.ProgrammingError:
        # Somebody has closed it.
        return False
