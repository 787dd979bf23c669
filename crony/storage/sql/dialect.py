"""What SQLite says in its own way; another database would differ here alone.

Lists travel as one JSON array in one parameter, so that a statement is the same
for one item and for a thousand.
"""

from __future__ import annotations

#: Beyond every instant: what has none comes last.
NEVER = 9223372036854775807
#: After every name.
NAMELESS = "~"

#: What a list of schedules is sorted by, as indexed.
SCHEDULE_SORTS = {
    "name": f"coalesce(name, '{NAMELESS}')",
    "next_run_at": f"coalesce(cursor, {NEVER})",
    "created_at": "created_at",
}

#: False, and so first, for a run that waits for its retry.
UNTRIED = "(attempt = 0)"

#: Run on each new connection.
CONNECTION_SETTINGS = (
    "PRAGMA busy_timeout = 10000",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)

#: Readers and the one writer do not wait for each other; kept in the file.
FILE_SETTINGS = "PRAGMA journal_mode = WAL"

#: Takes the write lock at once: a transaction that reads first and is refused
#: the lock later would have to be repeated.
BEGIN_WRITE = "BEGIN IMMEDIATE"
#: All statements until the commit see one state.
BEGIN_READ = "BEGIN"


def each(parameter: str, name: str) -> str:
    """Return a table of the items of a list, whose column is ``value``."""
    return f"json_each(:{parameter}) {name}"


def among(parameter: str) -> str:
    """Return what comes after ``IN`` for the items of a list."""
    return f"(SELECT value FROM json_each(:{parameter}))"


def part(name: str, index: int) -> str:
    """Return a member of an item that is a list itself."""
    return f"json_extract({name}.value, '$[{index}]')"


_LIVE = "('pending', 'leased', 'running', 'stopping')"


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
    f" WHEN NEW.state IN {_LIVE} BEGIN {_up('NEW', 'NEW.queue')} END",
    f"CREATE TRIGGER runs_entered AFTER UPDATE OF state ON runs"
    f" WHEN OLD.state <> NEW.state AND NEW.state IN {_LIVE}"
    f" BEGIN {_up('NEW', 'NEW.queue')} END",
    f"CREATE TRIGGER runs_left AFTER UPDATE OF state ON runs"
    f" WHEN OLD.state <> NEW.state AND OLD.state IN {_LIVE}"
    f" BEGIN {_down('OLD', 'OLD.queue')} END",
    f"CREATE TRIGGER schedules_inserted AFTER INSERT ON schedules"
    f" BEGIN {_up('NEW', repr(''))} END",
    f"CREATE TRIGGER schedules_changed AFTER UPDATE OF state ON schedules"
    f" WHEN OLD.state <> NEW.state"
    f" BEGIN {_down('OLD', repr(''))} {_up('NEW', repr(''))} END",
)
