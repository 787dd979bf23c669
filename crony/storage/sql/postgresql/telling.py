"""News between processes, by PostgreSQL's own notifications.

They are text of less than 8,000 bytes, on a channel of the database.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import psycopg

from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text

_CHANNEL = "crony"
_TELL = text(f"SELECT pg_notify('{_CHANNEL}', :news)")

#: Seconds between two looks at whether to go on.
_LOOK = 0.5
#: So many of them without news before the server is asked whether it is there.
_QUIET = 10


def tell(connection: Connection, news: bytes) -> None:
    """Send news to all who listen."""
    connection.execute(_TELL, {"news": base64.b64encode(news).decode()})


def listen(
    connection: psycopg.Connection[Any],
    hear: Callable[[bytes], None],
    *,
    until: Callable[[], bool],
) -> None:
    """Call ``hear`` with what is told, until ``until`` says so."""
    connection.execute(f"LISTEN {_CHANNEL}")
    quiet = 0
    while not until():
        quiet += 1
        for notice in connection.notifies(timeout=_LOOK):
            quiet = 0
            hear(base64.b64decode(notice.payload))
        if quiet >= _QUIET:
            connection.execute("SELECT 1")
            quiet = 0
