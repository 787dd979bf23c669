"""Connections that are lent for a verb, and the transactions on them.

PERF: these are entered several times for each request, so they are no generators.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from crony import errors
from crony.storage.sql.connection import Connection
from crony.storage.sql.pool import Pool


class Loan(AbstractContextManager[Connection]):
    """A connection of a pool, for as long as the block takes.

    ``foreign`` errors of the driver become what ``meaning`` makes of them, without
    their text.
    """

    __slots__ = ("_database", "_foreign", "_meaning", "_pool", "_taken")

    def __init__(
        self,
        pool: Pool[Any],
        database: str,
        *,
        foreign: type[Exception],
        meaning: Callable[[BaseException], errors.CronyError],
    ) -> None:
        self._pool = pool
        self._database = database
        self._foreign = foreign
        self._meaning = meaning
        self._taken: Any = None

    def __enter__(self) -> Connection:
        try:
            self._taken = self._pool.take()
        except self._foreign as caught:
            raise self._meaning(caught) from caught
        return Connection(self._taken, self._database)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        caught: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.give_back(self._taken)
        if isinstance(caught, self._foreign):
            raise self._meaning(caught) from caught


class Transaction(AbstractContextManager[Connection]):
    """A transaction on a loan, committed at the end of the block.

    ``roll_back`` ends one that failed; nothing that keeps it from that is raised. Of
    those that share a ``lock`` one is under way at a time.
    """

    __slots__ = ("_begin", "_connection", "_loan", "_lock", "_roll_back")

    def __init__(
        self,
        loan: Loan,
        begin: str,
        *,
        roll_back: Callable[[Connection], None],
        lock: threading.Lock | None = None,
    ) -> None:
        self._loan = loan
        self._begin = begin
        self._roll_back = roll_back
        self._lock = lock

    def __enter__(self) -> Connection:
        # An interrupt may come between any two of these.
        locked = False
        try:
            if self._lock is not None:
                locked = self._lock.acquire()
            self._connection = self._loan.__enter__()
            self._command(self._begin)
        except BaseException:
            if self._lock is not None and locked:
                self._lock.release()
            raise
        return self._connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        caught: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if caught is None:
                self._command("COMMIT")
                self._loan.__exit__(None, None, None)
            else:
                try:
                    self._roll_back(self._connection)
                finally:
                    self._loan.__exit__(kind, caught, trace)
        finally:
            if self._lock is not None:
                self._lock.release()

    def _command(self, sql: str) -> None:
        """Run one; where it fails, the loan ends."""
        try:
            self._connection.command(sql)
        except BaseException as failure:
            self._loan.__exit__(type(failure), failure, failure.__traceback__)
            raise
