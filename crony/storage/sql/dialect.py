"""What SQLite says in its own way; another database would differ here alone.

Lists travel as one JSON array in one parameter, so that a statement is the same
for one item and for a thousand.
"""

from __future__ import annotations

from crony.model import policy
from crony.storage.codec import duration_out

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

#: The turn of a run: see ``rules.turn``.
TURN = (
    "(CASE WHEN catch_up = 1"
    f" THEN created_at + {duration_out(policy.CATCH_UP_TURN) // 1000}"
    f" ELSE min(coalesce(deadline_at, {NEVER}),"
    f" due_at + {duration_out(policy.TURN) // 1000}) END)"
)

#: Whether a run is a hook's: those count towards no limit.
OF_HOOK = "(origin = 'hook')"

#: Attempts that a schedule's list of errors shows.
FAULT = "(state IN ('failed','timed_out','lost') OR says IS NOT NULL)"

#: When a run ended, for the order in which runs are forgotten.
ENDED_AT = "coalesce(finished_at, created_at)"

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


def greatest(one: str, other: str) -> str:
    """Return the greater of two expressions."""
    return f"max({one}, {other})"


def member(column: str, name: str) -> str:
    """Return a member of an object that is kept as text, as text."""
    return f"json_extract({column}, '$.{name}')"


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

#: The members of a run that an event tells, beside its id.
EVENT_MEMBERS = (
    *("tenant", "schedule", "schedule_name", "revision", "origin", "parent"),
    *("group_name", "policy", "scheduled_for", "due_at", "available_at", "catch_up"),
    *("deadline_at", "overlap", "hooks", "hook_interval", "hook", "hook_attempt"),
    *("range_until", "range_count", "state", "reason", "queue", "priority"),
    *("max_lost", "overrides", "created_at", "started_at", "finished_at"),
    *("lateness", "duration", "attempt", "token", "failures", "lost"),
    *("exit_code", "signal", "error", "progress"),
)

#: Those of them that are numbers.
EVENT_NUMBERS = frozenset(
    (
        *("revision", "policy", "scheduled_for", "due_at", "available_at", "catch_up"),
        *("deadline_at", "hook_interval", "hook_attempt", "range_until"),
        *("range_count", "priority", "max_lost", "created_at", "started_at"),
        *("finished_at", "lateness", "duration", "attempt", "token", "failures"),
        *("lost", "exit_code"),
    )
)


def _tell(kind: str) -> str:
    """Return the statement that tells of a run as it is now."""
    members = ", ".join(f"NEW.{name}" for name in ("id", *EVENT_MEMBERS))
    return (
        f"INSERT INTO events (type, at, subject, {', '.join(EVENT_MEMBERS)})"
        f" VALUES ({kind}, NEW.changed_at, {members});"
    )


_STATE = "'run.' || NEW.state"
_ENDED_APART = "(NEW.lost > OLD.lost OR NEW.preempted > OLD.preempted)"
_APART = "CASE WHEN NEW.lost > OLD.lost THEN 'run.lost' ELSE 'run.preempted' END"

#: Of what is written as of no instant (what moves in from another store) no event is
#: told.
_TOLD = "NEW.changed_at > 0"

#: They keep ``events``: no statement can change a state and not tell of it.
EVENT_TRIGGERS = (
    f"CREATE TRIGGER runs_told_new AFTER INSERT ON runs WHEN {_TOLD}"
    f" BEGIN {_tell(_STATE)} END",
    f"CREATE TRIGGER runs_told AFTER UPDATE OF state ON runs"
    f" WHEN OLD.state <> NEW.state AND NOT {_ENDED_APART} AND {_TOLD}"
    f" BEGIN {_tell(_STATE)} END",
    # One trigger for both, since the order of two is nobody's promise.
    f"CREATE TRIGGER runs_told_apart AFTER UPDATE OF state ON runs"
    f" WHEN OLD.state <> NEW.state AND {_ENDED_APART} AND {_TOLD}"
    f" BEGIN {_tell(_APART)} {_tell(_STATE)} END",
)
