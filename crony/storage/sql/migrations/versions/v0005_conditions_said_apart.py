"""Conditions of indexes and triggers, in words that cost SQLite less."""

from __future__ import annotations

from alembic import op

from crony.storage.sql import dialect
from crony.storage.sql.migrations import clauses

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_HELD = "(state = 'leased' OR state = 'running' OR state = 'stopping')"
_ENDED = (
    "(state = 'succeeded' OR state = 'failed' OR state = 'timed_out'"
    " OR state = 'cancelled' OR state = 'missed' OR state = 'skipped'"
    " OR state = 'expired')"
)
_FAULT = (
    "((state = 'failed' OR state = 'timed_out' OR state = 'lost') OR says IS NOT NULL)"
)


def upgrade() -> None:
    """Make anew what has a list of states; PostgreSQL takes the old for the new.

    Older releases go on with it, as slowly as without these indexes.
    """
    if op.get_bind().dialect.name != "sqlite":
        return
    by_end = ["schedule", "coalesce(finished_at, created_at)", "id"]
    in_group = ["tenant", "group_name", "id"]
    _again("runs_held", ["schedule", "(origin = 'hook')"], _HELD)
    _again("runs_held_by", ["worker", "id"], _HELD)
    _again("runs_held_in_group", in_group, f"{_HELD} AND origin <> 'hook'")
    _again("runs_ended", by_end, f"{_ENDED} AND origin <> 'hook'")
    _again("runs_ended_hooks", by_end, f"{_ENDED} AND origin = 'hook'")
    _again("attempts_faults", ["schedule", "finished_at", "run", "number"], _FAULT)
    _triggers()


def _again(index: str, columns: list[str], where: str) -> None:
    table, _, _ = index.partition("_")
    op.drop_index(index, table)
    op.create_index(
        index,
        table,
        [clauses.text(column) for column in columns],
        sqlite_where=clauses.text(where),
    )


def _live(row: str) -> str:
    return (
        f"({row}.state = 'pending' OR {row}.state = 'leased'"
        f" OR {row}.state = 'running' OR {row}.state = 'stopping')"
    )


def _triggers() -> None:
    """Make those anew that keep ``tallies`` of runs."""
    up = (
        "INSERT INTO tallies (tenant, queue, state, count)"
        " VALUES (NEW.tenant, NEW.queue, NEW.state, 1)"
        " ON CONFLICT (tenant, queue, state) DO UPDATE SET count = count + 1;"
    )
    down = (
        "UPDATE tallies SET count = count - 1 WHERE tenant = OLD.tenant"
        " AND queue = OLD.queue AND state = OLD.state;"
    )
    changed, differs = "UPDATE OF state", "OLD.state <> NEW.state AND "
    for name, event, when, does in (
        ("runs_inserted", "INSERT", _live("NEW"), up),
        ("runs_entered", changed, differs + _live("NEW"), up),
        ("runs_left", changed, differs + _live("OLD"), down),
    ):
        op.execute(clauses.text(dialect.without_trigger(name)))
        op.execute(
            clauses.text(
                f"CREATE TRIGGER {name} AFTER {event} ON runs"
                f" WHEN {when} BEGIN {does} END"
            )
        )
