"""The first schema.

Instants are integer milliseconds, durations integer microseconds. Every table
that holds a tenant's things carries the tenant.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crony.storage.sql import dialect
from crony.storage.sql.migrations import clauses

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_HELD = "state IN ('leased','running','stopping')"
_PENDING = "state = 'pending'"


def upgrade() -> None:
    """Make all tables."""
    _tenants()
    _schedules()
    _runs()
    _run_indexes()
    _attempts()
    _workers()
    _service()
    for statement in dialect.tally_triggers(op.get_bind().dialect.name):
        op.execute(clauses.text(statement))


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, clauses.TEXT, nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, clauses.NUMBER, nullable=null)


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    clause = None if where is None else clauses.text(where)
    op.create_index(
        name,
        table,
        [clauses.text(column) for column in columns],
        sqlite_where=clause,
        postgresql_where=clause,
    )


def _tenants() -> None:
    op.create_table(
        "tenants",
        _text("name"),
        _int("revision"),
        _text("quotas"),
        _int("created_at"),
        _int("updated_at"),
        sa.PrimaryKeyConstraint("name"),
    )
    # How many runs are in each live state, and schedules in each state (there the
    # queue is empty): kept by triggers, so that they can't be forgotten.
    op.create_table(
        "tallies",
        _text("tenant"),
        _text("queue"),
        _text("state"),
        _int("count"),
        sa.PrimaryKeyConstraint("tenant", "queue", "state"),
        sqlite_with_rowid=False,
    )


def _schedules() -> None:
    # A deleted schedule leaves its row, without name and cursor: its id is never
    # used again, and its limit holds for what still runs.
    op.create_table(
        "schedules",
        _text("id"),
        _text("tenant"),
        _text("name", null=True),
        _int("revision"),
        _text("state"),
        _int("cursor", null=True),
        _int("occurrences"),
        _int("max_concurrent"),
        _text("queue"),
        _text("trigger"),
        _text("labels"),
        _int("created_at"),
        _int("updated_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "name"),
    )
    alive = "state <> 'deleted'"
    key = ["tenant", "", "id"]
    for name, column in dialect.SCHEDULE_SORTS.items():
        key[1] = column
        _index(f"schedules_by_{name}", "schedules", key, alive)
    _index("schedules_due", "schedules", ["cursor", "id"], "state = 'active'")
    op.create_table(
        "definitions",
        _text("schedule"),
        _int("revision"),
        _text("tenant"),
        _int("lane"),
        _text("queue"),
        _text("body"),
        sa.PrimaryKeyConstraint("schedule", "revision"),
    )
    op.create_table(
        "lanes",
        clauses.serial("id"),
        _text("tenant"),
        _text("queue"),
        _text("requires"),
        _int("level"),
        sa.UniqueConstraint("tenant", "queue", "requires", "level"),
    )
    op.create_table(
        "progress",
        _text("schedule"),
        _int("number"),
        _text("tenant"),
        _text("entry"),
        sa.PrimaryKeyConstraint("schedule", "number"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        _text("id"),
        _text("tenant"),
        _text("schedule"),
        _text("schedule_name", null=True),
        _int("revision"),
        _text("origin"),
        _text("parent", null=True),
        _int("scheduled_for"),
        _int("due_at"),
        _int("available_at"),
        _int("catch_up"),
        _int("range_until", null=True),
        _int("range_count"),
        _text("state"),
        _text("reason", null=True),
        _text("queue"),
        _int("priority"),
        _int("max_lost"),
        _text("overrides", null=True),
        _int("created_at"),
        _int("started_at", null=True),
        _int("finished_at", null=True),
        _int("lateness", null=True),
        _int("duration", null=True),
        _int("attempt"),
        _int("token"),
        _int("failures"),
        _int("lost"),
        _int("exit_code", null=True),
        _text("signal", null=True),
        _text("error", null=True),
        _text("progress", null=True),
        _text("result", null=True),
        # What the driver itself needs: see docs/explanation/storage.md.
        _int("lane"),
        _int("admitted"),
        _int("waiting"),
        # Of the newest attempt, live or ended; the last three while it is live.
        _text("worker", null=True),
        _text("worker_name", null=True),
        _int("leased_at", null=True),
        _int("start_at", null=True),
        _int("expires_at", null=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _run_indexes() -> None:
    def index(name: str, columns: str, where: str | None = None) -> None:
        _index(f"runs_{name}", "runs", columns.split(", "), where)

    index("by_schedule", "schedule, scheduled_for, id")
    index("by_state", "tenant, state, scheduled_for, id")
    index("by_worker", "worker, scheduled_for, id", "worker IS NOT NULL")
    index(
        "leasable",
        "lane, priority DESC, catch_up, due_at, id, available_at",
        f"{_PENDING} AND admitted = 1 AND waiting = 0",
    )
    index("waiting", "available_at, id", f"{_PENDING} AND waiting = 1")
    index("pending", f"schedule, {dialect.UNTRIED}, due_at, id", _PENDING)
    index("admitted", "schedule, id", f"{_PENDING} AND admitted = 1")
    index("pending_due", "tenant, queue, due_at", _PENDING)
    index("withdrawn", "schedule", "state = 'withdrawn'")
    index("held", "schedule", _HELD)
    index("held_by", "worker, id", _HELD)
    index("offers", "start_at, id", "state = 'leased'")
    index("lease_ends", "expires_at, id", "state IN ('running','stopping')")


def _attempts() -> None:
    # Those that have ended; a live one is part of its run.
    op.create_table(
        "attempts",
        _text("run"),
        _int("number"),
        _text("tenant"),
        _text("schedule"),
        _int("token"),
        _text("state"),
        _text("reason", null=True),
        _text("worker"),
        _text("worker_name"),
        _int("leased_at"),
        _int("started_at", null=True),
        _int("finished_at", null=True),
        _int("lateness", null=True),
        _int("duration", null=True),
        _int("exit_code", null=True),
        _text("signal", null=True),
        _text("error", null=True),
        _text("sandbox_level", null=True),
        _text("limits", null=True),
        _text("usage", null=True),
        sa.PrimaryKeyConstraint("run", "number"),
    )
    _index(
        "attempts_faults",
        "attempts",
        ["schedule", "finished_at", "run", "number"],
        "state IN ('failed','timed_out','lost')",
    )
    # Offers that were taken back: who had which token.
    op.create_table(
        "lapsed",
        _text("run"),
        _int("token"),
        _text("tenant"),
        _text("worker"),
        sa.PrimaryKeyConstraint("run", "token"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outputs",
        _text("run"),
        _int("token"),
        _text("tenant"),
        _text("positions"),
        _int("sequence"),
        _int("written"),
        _int("kept"),
        _int("head"),
        sa.PrimaryKeyConstraint("run", "token"),
    )
    op.create_table(
        "pieces",
        _text("run"),
        _int("token"),
        _int("sequence"),
        _text("stream"),
        _int("start"),
        _int("size"),
        _int("head"),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run", "token", "sequence"),
    )


def _workers() -> None:
    op.create_table(
        "workers",
        _text("id"),
        _text("tenant"),
        _text("name"),
        _text("machine"),
        _text("queues"),
        _text("labels"),
        _int("slots"),
        _text("sandbox_level"),
        _text("version"),
        _int("draining"),
        _text("session", null=True),
        _int("sequence"),
        _int("registered_at"),
        _int("seen_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "name"),
    )
    # Sessions that were replaced stay refused.
    op.create_table(
        "sessions",
        _text("worker"),
        _text("session"),
        sa.PrimaryKeyConstraint("worker", "session"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "keys",
        _text("id"),
        _text("tenant"),
        _text("role"),
        _text("worker", null=True),
        _text("description"),
        _text("prefix"),
        _text("digest"),
        _int("created_at"),
        _int("expires_at", null=True),
        _int("used_at", null=True),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("keys_by_digest", "keys", ["digest"])
    _index("keys_by_age", "keys", ["tenant", "created_at", "id"], "role <> 'worker'")
    _index("keys_by_worker", "keys", ["worker"], "worker IS NOT NULL")


def _service() -> None:
    op.create_table(
        "answers",
        _text("tenant"),
        _text("key"),
        _text("resource"),
        _text("digest"),
        _int("claimed_at"),
        _int("status", null=True),
        _text("headers"),
        sa.Column("body", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "key"),
    )
    _index("answers_by_age", "answers", ["claimed_at"])
    op.create_table(
        "duties",
        _text("duty"),
        _text("holder", null=True),
        _int("until"),
        _int("last"),
        sa.PrimaryKeyConstraint("duty"),
    )
