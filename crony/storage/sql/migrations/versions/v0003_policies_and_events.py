"""Policies, groups, hooks, events, webhooks, versions and what is left of history.

What an older release stored goes on: its runs have the policy that their
definition set, its schedules are in the group ``default`` and begin their first
version just before they were made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crony.storage.sql import dialect
from crony.storage.sql.migrations import clauses

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_HELD = "state IN ('leased','running','stopping')"
_PENDING = "state = 'pending'"
_ENDED = (
    "state IN ('succeeded','failed','timed_out','cancelled','missed','skipped',"
    "'expired')"
)


def upgrade() -> None:
    """Add tables, columns and indexes, and fill in what is there."""
    _groups()
    _schedules()
    _versions()
    _policies()
    _runs()
    _lanes()
    _run_indexes()
    _attempts()
    _events()
    _webhooks()
    _fill()
    op.drop_column("definitions", "lane")
    op.drop_column("definitions", "queue")
    for statement in dialect.EVENT_TRIGGERS:
        op.execute(clauses.text(statement))
    for statement in dialect.tuning(op.get_bind().dialect.name):
        op.execute(clauses.text(statement))


def _text(
    name: str, *, null: bool = False, default: str | None = None
) -> sa.Column[str]:
    return sa.Column(name, clauses.TEXT, nullable=null, server_default=default)


def _int(
    name: str, *, null: bool = False, default: str | None = None
) -> sa.Column[int]:
    return sa.Column(name, clauses.NUMBER, nullable=null, server_default=default)


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    clause = None if where is None else clauses.text(where)
    op.create_index(
        name,
        table,
        [clauses.text(column) for column in columns],
        sqlite_where=clause,
        postgresql_where=clause,
    )


def _add(table: str, *columns: sa.Column[str] | sa.Column[int]) -> None:
    for column in columns:
        op.add_column(table, column)


def _groups() -> None:
    _add(
        "tenants",
        _text("profile", null=True),
        _int("max_concurrent", null=True),
        _text("retention", default="{}"),
    )
    op.create_table(
        # "groups" is a word of SQL.
        "schedule_groups",
        _text("tenant"),
        _text("name"),
        _int("revision"),
        _text("description"),
        _text("profile", null=True),
        _int("max_concurrent", null=True),
        _int("paused"),
        _int("since"),
        _text("misfire", null=True),
        _int("carried"),
        _int("created_at"),
        _int("updated_at"),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    _index("groups_uncarried", "schedule_groups", ["tenant", "name"], "carried = 0")
    by_profile = ["tenant", "profile"]
    _index("groups_by_profile", "schedule_groups", by_profile, "profile IS NOT NULL")
    op.create_table(
        "profiles",
        _text("tenant"),
        _text("name"),
        _int("revision"),
        _text("description"),
        _text("settings"),
        _int("created_at"),
        _int("updated_at"),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )


def _schedules() -> None:
    _add(
        "schedules",
        _text("group_name", default="default"),
        _text("profile", null=True),
        _int("held", default="0"),
        _text("rules", default=""),
    )
    alive = "state <> 'deleted'"
    by_group = ["tenant", "group_name", "held", "id"]
    _index("schedules_by_group", "schedules", by_group, alive)
    by_profile = ["tenant", "profile"]
    _index("schedules_by_profile", "schedules", by_profile, "profile IS NOT NULL")
    # Of a definition, what its runs ask of a worker's labels.
    _add("definitions", _text("requires", default="[]"))


def _versions() -> None:
    op.create_table(
        "versions",
        _text("schedule"),
        _int("number"),
        _text("tenant"),
        _int("revision"),
        _int("since"),
        _int("held"),
        _text("rules"),
        sa.PrimaryKeyConstraint("schedule", "number"),
    )
    op.create_table(
        "pruned",
        _text("schedule"),
        # occurrences | others
        _text("kind"),
        _text("state"),
        _text("tenant"),
        _int("count"),
        _int("until"),
        sa.PrimaryKeyConstraint("schedule", "kind", "state"),
    )


def _policies() -> None:
    # Each once: a policy is the same for very many runs.
    op.create_table(
        "policies",
        clauses.serial("id"),
        _text("body"),
    )
    op.execute(clauses.text(dialect.unique_text("policies", "body")))


def _runs() -> None:
    _add(
        "runs",
        _text("group_name", default="default"),
        _int("policy", default="0"),
        _int("deadline_at", null=True),
        _text("overlap", null=True),
        _text("hooks", default=""),
        _int("hook_interval", null=True),
        _text("hook", null=True),
        _int("hook_attempt", null=True),
        # What the driver itself needs.
        _int("changed_at", default="0"),
        _int("preemptible", default="0"),
        # Attempts that gave way to another run.
        _int("preempted", default="0"),
        _text("reserved_for", null=True),
        _int("reserved_until", null=True),
        # When the progress hook is due, and how often it was in this attempt.
        _int("pulse_at", null=True),
        _int("pulses", default="0"),
    )


def _lanes() -> None:
    # In another name first: a constraint's columns can't be changed.
    op.create_table(
        "new_lanes",
        clauses.serial("id"),
        _text("tenant"),
        _text("queue"),
        _text("requires"),
        _int("level"),
        # Empty for the runs of hooks, which no limit holds back.
        _text("group_name"),
    )
    op.execute(
        sa.text(
            "INSERT INTO new_lanes (id, tenant, queue, requires, level, group_name)"
            " SELECT id, tenant, queue, requires, level, 'default' FROM lanes"
        )
    )
    op.execute(
        sa.text(
            "UPDATE definitions SET requires = (SELECT l.requires FROM lanes l"
            " WHERE l.id = definitions.lane)"
        )
    )
    op.drop_table("lanes")
    op.rename_table("new_lanes", "lanes")
    each = "tenant, queue, group_name, requires, level"
    unique = dialect.unique_texts("lanes", each, short="tenant, queue, group_name")
    op.execute(clauses.text(unique))


def _run_indexes() -> None:
    def index(name: str, columns: list[str], where: str) -> None:
        _index(f"runs_{name}", "runs", columns, where)

    for name in ("leasable", "pending", "held"):
        op.drop_index(f"runs_{name}", "runs")
    index(
        "leasable",
        [
            *("lane", "catch_up", "priority DESC", dialect.TURN),
            *("due_at", "id", "available_at"),
        ],
        f"{_PENDING} AND admitted = 1 AND waiting = 0",
    )
    hooks, untried = dialect.OF_HOOK, dialect.UNTRIED
    index("pending", ["schedule", hooks, untried, "due_at", "id"], _PENDING)
    index("held", ["schedule", hooks], _HELD)
    in_group = ["tenant", "group_name", "id"]
    index("held_in_group", in_group, f"{_HELD} AND origin <> 'hook'")
    index("overlap", ["due_at", "id"], f"overlap IS NOT NULL AND {_PENDING}")
    index(
        "deadline",
        ["deadline_at", "id"],
        "deadline_at IS NOT NULL AND state IN ('pending','leased')",
    )
    index(
        "preemptible",
        ["priority", "started_at", "id"],
        "preemptible = 1 AND state = 'running'",
    )
    index("pulse", ["pulse_at", "id"], "pulse_at IS NOT NULL AND state = 'running'")
    # Hooks' runs go with their parents: they must not be in the way of others.
    by_end = ["schedule", dialect.ENDED_AT, "id"]
    index("ended", by_end, f"{_ENDED} AND origin <> 'hook'")
    index("ended_hooks", by_end, f"{_ENDED} AND origin = 'hook'")
    index("withdrawn", ["schedule", "scheduled_for", "id"], "state = 'withdrawn'")
    index("by_parent", ["parent", "scheduled_for", "id"], "parent IS NOT NULL")
    # What most runs have is not worth an entry for each.
    index(
        "by_group",
        ["tenant", "group_name", "scheduled_for", "id"],
        "group_name <> 'default'",
    )
    index(
        "by_origin",
        ["tenant", "origin", "scheduled_for", "id"],
        "origin <> 'schedule'",
    )


def _attempts() -> None:
    # What a hook printed, and the run and attempt that it followed.
    _add(
        "attempts",
        _text("says", null=True),
        _text("followed", null=True),
        _int("followed_attempt", null=True),
    )
    op.drop_index("attempts_faults", "attempts")
    _index(
        "attempts_faults",
        "attempts",
        ["schedule", "finished_at", "run", "number"],
        "(state IN ('failed','timed_out','lost') OR says IS NOT NULL)",
    )
    # Hooks that are owed.
    op.create_table(
        "follow_ups",
        _text("run"),
        _int("attempt"),
        _text("kind"),
        _int("number"),
        _text("tenant"),
        _text("schedule"),
        _int("at"),
        sa.PrimaryKeyConstraint("run", "attempt", "kind", "number"),
    )
    _index(
        "follow_ups_by_age", "follow_ups", ["at", "run", "attempt", "kind", "number"]
    )


def _events() -> None:
    # The members of a run as columns: written and read without a detour.
    op.create_table(
        "events",
        clauses.serial("sequence"),
        _text("type"),
        _int("at"),
        _text("data", null=True),
        *(
            _int(name, null=True)
            if name in dialect.EVENT_NUMBERS
            else _text(name, null=True)
            for name in ("subject", *dialect.EVENT_MEMBERS)
        ),
        # It is drawn before the commit: in their order they become visible because
        # all who write events of a tenant do so one after the other.
        sqlite_autoincrement=True,
    )
    _index("events_by_tenant", "events", ["tenant", "sequence"])
    op.create_table(
        "events_pruned",
        _text("tenant"),
        _int("sequence"),
        sa.PrimaryKeyConstraint("tenant"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        _text("tenant"),
        _text("name"),
        _int("revision"),
        _text("url"),
        _text("types"),
        _text("description"),
        _int("paused"),
        _text("secret"),
        _int("position"),
        _int("created_at"),
        _int("updated_at"),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    op.create_table(
        "deliveries",
        _text("tenant"),
        _text("webhook"),
        _int("sequence"),
        _text("event"),
        _text("state"),
        _int("tries"),
        _int("next_at", null=True),
        _int("status", null=True),
        _text("error", null=True),
        _int("created_at"),
        _int("finished_at", null=True),
        sa.PrimaryKeyConstraint("tenant", "webhook", "sequence"),
    )
    due = ["tenant", "webhook", "next_at", "sequence"]
    _index("deliveries_due", "deliveries", due, "state = 'pending'")
    _index(
        "deliveries_ended",
        "deliveries",
        ["finished_at", "tenant", "webhook", "sequence"],
        "finished_at IS NOT NULL",
    )
    _add("workers", _int("lost", default="0"))
    _index("workers_seen", "workers", ["seen_at", "id"], "lost = 0")


def _fill() -> None:
    """Give what is stored the values that it would have been stored with."""
    body = dialect.member("d.body", "policy")
    for statement in (
        "INSERT INTO schedule_groups (tenant, name, revision, description, paused,"
        " since, carried, created_at, updated_at) SELECT name, 'default', 1, '', 0,"
        " created_at, 1, created_at, created_at FROM tenants",
        "INSERT INTO versions (schedule, number, tenant, revision, since, held, rules)"
        " SELECT d.schedule, 1, d.tenant, d.revision, s.created_at - 1, 0, ''"
        " FROM schedules s JOIN definitions d ON d.schedule = s.id"
        " AND d.revision = s.revision",
        f"INSERT INTO policies (body) SELECT DISTINCT {body} FROM definitions d",
        f"UPDATE runs SET policy = (SELECT p.id FROM definitions d"
        f" JOIN policies p ON p.body = {body} WHERE d.schedule = runs.schedule"
        f" AND d.revision = runs.revision)",
    ):
        op.execute(clauses.text(statement))
