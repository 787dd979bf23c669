"""Connections to a server that may stop answering at any moment.

Every wait has an end: the server's for locks, statements and transactions in which
nothing happens, the kernel's for peers that are gone, and ours for a server that is
there and says nothing.
"""

from __future__ import annotations

import select
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from crony import errors

#: Seconds that we wait for an answer: longer than the server lets anything take.
ANSWER_WITHIN = 12.0

#: Of the server, in milliseconds. Whoever stops in a transaction, with the lock of a
#: tenant, loses it before the others have given up on it; also where others of its
#: process waited for it, which get it next and have stopped as well.
_TIMES = {
    "idle_in_transaction_session_timeout": 3_000,
    "lock_timeout": 8_000,
    "statement_timeout": 10_000,
}

#: Of libpq, where the URL does not say otherwise.
_DEFAULTS: dict[str, str | int] = {
    "application_name": "crony",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    # Of several hosts, the primary.
    "target_session_attrs": "read-write",
}

#: What is acknowledged is on stable storage; a stricter setting of the server stays.
_SET_UP = (
    "SELECT "
    + ", ".join(
        f"set_config('{name}', '{value}', false)" for name, value in _TIMES.items()
    )
    # Plans are for few rows each: to compile them takes longer than to run them.
    + ", set_config('jit', 'off', false)"
    # What waits and what runs is in memory: to follow an index costs no more than to
    # read on.
    ", set_config('random_page_cost', '1.1', false)"
    # An index is read in its order and up to the limit; a bitmap, to its end.
    ", set_config('enable_bitmapscan', 'off', false)"
    ", set_config('synchronous_commit', CASE"
    " WHEN current_setting('synchronous_commit') IN ('on', 'remote_apply')"
    " THEN current_setting('synchronous_commit') ELSE 'on' END, false)"
)


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection that waits for no answer for ever, unless it is patient."""

    patient = False

    def wait(
        self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        if timeout is not None or self.patient:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, ANSWER_WITHIN)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                # Nobody knows what comes of it: whoever goes on would wait again.
                self.pgconn.finish()
            raise


def parameters(url: str) -> dict[str, str | int]:
    """Return what libpq is to connect with.

    Raises ``InvalidSetting`` for what is no URL of a server.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # SECURITY: libpq quotes what it can't read, a password among it.
        raise errors.InvalidSetting(
            "storage",
            "url",
            "it can't be read as postgresql://user:password@host/database; what is "
            "special in a password is written as %40 and the like",
        ) from None
    said = {name: value for name, value in given.items() if value is not None}
    return {**_DEFAULTS, "client_encoding": "UTF8", **said}


def connect(given: dict[str, str | int]) -> BoundedConnection:
    """Return a new connection, set up."""
    connection = BoundedConnection.connect(
        **given,  # type: ignore[arg-type]  # libpq's words, which psycopg does not type
        autocommit=True,
        # As many as there are statements.
        prepare_threshold=3,
    )
    connection.prepared_max = 500
    connection.execute(_SET_UP)
    return connection


def is_stale(connection: psycopg.Connection[Any]) -> bool:
    """Return whether the server has ended an idle connection.

    Nothing comes from the server unasked but that; if something does, it is asked.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if not waiting.poll(0):
        return False
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return True
    return False
