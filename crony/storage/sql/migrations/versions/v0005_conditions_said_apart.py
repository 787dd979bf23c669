"""Conditions of indexes and triggers, in words that cost SQLite less."""

from __future__ import annotations

from alembic import op

from crony.storage.sql import dialect
from crony.storage.sql.migrations import clauses

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TRIGGERS = (
    *("runs_inserted", "runs_entered", "runs_left"),
    *("schedules_inserted", "schedules_changed"),
)


def upgrade() -> None:
    """Make anew what has a list of states; PostgreSQL takes the old for the new.

    Older releases go on with it, as slowly as without these indexes.
    """
    name = op.get_bind().dialect.name
    if name != "sqlite":
        return
    in_hands, by_end = dialect.in_hands(), ["schedule", dialect.ENDED_AT, "id"]
    _again("held", ["schedule", dialect.OF_HOOK], in_hands)
    _again("held_by", ["worker", "id"], in_hands)
    _again(
        "held_in_group",
        ["tenant", "group_name", "id"],
        f"{in_hands} AND origin <> 'hook'",
    )
    _again("ended", by_end, f"{dialect.ended()} AND origin <> 'hook'")
    _again("ended_hooks", by_end, f"{dialect.ended()} AND origin = 'hook'")
    faults = ["schedule", "finished_at", "run", "number"]
    _again("faults", faults, dialect.FAULT, table="attempts")
    for trigger in _TRIGGERS:
        op.execute(clauses.text(dialect.without_trigger(trigger)))
    for statement in dialect.tally_triggers(name):
        op.execute(clauses.text(statement))


def _again(name: str, columns: list[str], where: str, *, table: str = "runs") -> None:
    index = f"{table}_{name}"
    op.drop_index(index, table)
    op.create_index(
        index,
        table,
        [clauses.text(column) for column in columns],
        sqlite_where=clauses.text(where),
    )
