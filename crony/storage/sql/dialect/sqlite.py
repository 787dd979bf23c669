"""What SQLite says in its own way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

from crony.storage.sql.dialect.choice import one_of
from crony.storage.sql.dialect.rows import Row

#: How the driver has parameters.
PARAMETERS = "named"

#: See ``statement``; what each word means stands in ``words``.
FORMS = {
    "each": "json_each({0}) {1}",
    "each_number": "json_each({0}) {1}",
    "members": "json_each({0}) {1}",
    "among": "(SELECT value FROM json_each({0}))",
    "among_numbers": "(SELECT value FROM json_each({0}))",
    "part": "json_extract({0}.value, '$[{1}]')",
    "part_number": "json_extract({0}.value, '$[{1}]')",
    "member": "json_extract({0}, '$.{1}')",
    "packed": "json_group_array({0})",
    "packed_rows": "json_group_array(json_array({0}))",
    "greatest": "max({0}, {1})",
    "least": "min({0}, {1})",
    "flag": "({0})",
    "same": "{0} IS {1}",
    "place_in": "instr({0}, {1})",
    "by_index": "INDEXED BY {0}",
    "tables": "sqlite_master",
    # A trigger: its name, table and event, when it acts, and what it does.
    "trigger": "CREATE TRIGGER {0} AFTER {2} ON {1} WHEN {3} BEGIN {4} END",
    "unique_text": "CREATE UNIQUE INDEX {0}_by_{1} ON {0} ({1})",
    "unique_texts": "CREATE UNIQUE INDEX {0}_of_each ON {0} ({1})",
    "without_trigger": "DROP TRIGGER {0}",
}

#: Run on each new connection.
CONNECTION_SETTINGS = (
    "PRAGMA busy_timeout = 10000",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",
    # Several times what there is when the log is seen to on the side: a commit that
    # finds so much left waits for it, so that the log has an end whatever happens.
    "PRAGMA wal_autocheckpoint = 16000",
    "PRAGMA journal_size_limit = 67108864",
)

#: Readers and the one writer do not wait for each other; kept in the file.
FILE_SETTINGS = "PRAGMA journal_mode = WAL"

#: Takes the write lock at once: a transaction that reads first and is refused
#: the lock later would have to be repeated.
BEGIN_WRITE = "BEGIN IMMEDIATE"
#: All statements until the commit see one state.
BEGIN_READ = "BEGIN"


def _live(row: str) -> str:
    return one_of(f"{row}.state", "pending", "leased", "running", "stopping")


def _up(row: str, queue: str) -> str:
    return (
        f"INSERT INTO tallies (tenant, queue, state, count)"
        f" VALUES ({row}.tenant, {queue}, {row}.state, 1)"
        f" ON CONFLICT (tenant, queue, state) DO UPDATE SET count = count + 1;"
    )


def _down(row: str, queue: str) -> str:
    return (
        f"UPDATE tallies SET count = count - 1 WHERE tenant = {row}.tenant"
        f" AND queue = {queue} AND state = {row}.state;"
    )


#: They keep ``tallies``.
TALLY_TRIGGERS = (
    f"CREATE TRIGGER runs_inserted AFTER INSERT ON runs"
    f" WHEN {_live('NEW')} BEGIN {_up('NEW', 'NEW.queue')} END",
    f"CREATE TRIGGER runs_entered AFTER UPDATE OF state ON runs"
    f" WHEN OLD.state <> NEW.state AND {_live('NEW')}"
    f" BEGIN {_up('NEW', 'NEW.queue')} END",
    f"CREATE TRIGGER runs_left AFTER UPDATE OF state ON runs"
    f" WHEN OLD.state <> NEW.state AND {_live('OLD')}"
    f" BEGIN {_down('OLD', 'OLD.queue')} END",
    f"CREATE TRIGGER schedules_inserted AFTER INSERT ON schedules"
    f" BEGIN {_up('NEW', repr(''))} END",
    f"CREATE TRIGGER schedules_changed AFTER UPDATE OF state ON schedules"
    f" WHEN OLD.state <> NEW.state"
    f" BEGIN {_down('OLD', repr(''))} {_up('NEW', repr(''))} END",
)

#: It needs no more.
TUNING: Sequence[str] = ()


_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")

#: What a statement takes of a row, in order.
_Take = Callable[[Row], tuple[Any, ...]]


def batch(sql: str, rows: Sequence[Row]) -> tuple[str, Sequence[tuple[Any, ...]]]:
    """Return what does for each row what a statement does for one."""
    # PERF: Python's driver looks up each name for each row, and takes longer over a
    # None than over anything else: what all rows lack stands in the statement. That is
    # a statement for each combination; a service meets some dozens.
    columns = tuple(zip(*map(_taking(sql), rows), strict=True))
    lacking = tuple(
        column[0] is None and column.count(None) == len(column) for column in columns
    )
    given = [
        column for column, lacks in zip(columns, lacking, strict=True) if not lacks
    ]
    placed = list(zip(*given, strict=True)) if given else [()] * len(rows)
    return _placed(sql, lacking), placed


@cache
def _taking(sql: str) -> _Take:
    names = _PARAMETER.findall(sql)
    if len(names) == 1:
        (name,) = names
        return lambda row: (row[name],)
    return itemgetter(*names)


#: So many combinations are kept; one that is rarer is put together anew.
@lru_cache(maxsize=1000)
def _placed(sql: str, lacking: tuple[bool, ...]) -> str:
    """Return a statement with parameters by their places, NULL for those lacking."""
    each = iter(lacking)
    return _PARAMETER.sub(lambda _: "NULL" if next(each) else "?", sql)
