"""Tenants that are held, and what moves from store to store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crony.storage.sql import dialect
from crony.storage.sql.migrations import clauses

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and indexes; nobody is held yet.

    Nodes of older releases would lease what is held, so that they are locked out.
    """
    op.create_table("schema_floor", sa.Column("floor", clauses.TEXT, nullable=False))
    op.execute(clauses.text(f"INSERT INTO schema_floor VALUES ('{revision}')"))
    _flag("tenants", "held")
    # Of its tenant, with each schedule: what is due is found without those that wait.
    _flag("schedules", "tenant_held")
    op.drop_index("schedules_due", "schedules")
    _index(
        "schedules_due",
        "schedules",
        ["cursor", "id"],
        "state = 'active' AND tenant_held = 0",
    )
    # For walks alone, which say so: every statement names a tenant, and a planner that
    # might take this for them weighs their own indexes wrongly.
    _index("schedules_walked", "schedules", ["tenant", "id"], "id > ''")
    _index("runs_walked", "runs", ["tenant", "id"], "id > ''")
    # Of what moves in, no event is told.
    for name in ("runs_told_new", "runs_told", "runs_told_apart"):
        op.execute(clauses.text(dialect.without_trigger(name)))
    for statement in dialect.EVENT_TRIGGERS:
        op.execute(clauses.text(statement))


def _flag(table: str, name: str) -> None:
    column = sa.Column(name, clauses.NUMBER, nullable=False, server_default="0")
    op.add_column(table, column)


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    clause = None if where is None else clauses.text(where)
    op.create_index(
        name,
        table,
        [clauses.text(column) for column in columns],
        sqlite_where=clause,
        postgresql_where=clause,
    )
