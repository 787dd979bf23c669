"""What a schedule is, and was: its definitions and versions, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crony import errors
from crony.model.moving import MovedSchedule
from crony.model.schedule import Schedule, Version
from crony.storage import changes
from crony.storage.codec import (
    definition_in,
    definition_out,
    dumps,
    instant_in,
    instant_out,
    maybe_instant_out,
    trigger_kind,
)
from crony.storage.sql import events, lanes, references
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import text

_HOLDER = text(
    "SELECT id FROM schedules WHERE tenant = :tenant AND name = :name AND id <> :id"
)
_UPDATE = text(
    "UPDATE schedules SET name = :name, revision = :revision, state = :state,"
    " cursor = :cursor, occurrences = :occurrences, max_concurrent = :max_concurrent,"
    " queue = :queue, trigger = :trigger, labels = :labels, group_name = :group_name,"
    " profile = :profile, held = :held, rules = :rules, updated_at = :updated_at"
    " WHERE id = :id"
)
_ARRIVE = text(
    "INSERT INTO schedules (id, tenant, name, revision, state, cursor, occurrences,"
    " max_concurrent, queue, trigger, labels, group_name, profile, held, rules,"
    " created_at, updated_at, tenant_held) VALUES (:id, :tenant, :name, :revision,"
    " :state, :cursor, :occurrences, :max_concurrent, :queue, :trigger, :labels,"
    " :group_name, :profile, :held, :rules, :created_at, :updated_at,"
    " coalesce((SELECT t.held FROM tenants t WHERE t.name = :tenant), 0))"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
    " revision = excluded.revision, state = excluded.state, cursor = excluded.cursor,"
    " occurrences = excluded.occurrences, max_concurrent = excluded.max_concurrent,"
    " queue = excluded.queue, trigger = excluded.trigger, labels = excluded.labels,"
    " group_name = excluded.group_name, profile = excluded.profile,"
    " held = excluded.held, rules = excluded.rules,"
    " created_at = excluded.created_at, updated_at = excluded.updated_at"
)
_LAG = text(
    "UPDATE schedule_groups SET carried = 0 WHERE tenant = :tenant AND name = :group"
)
_FORGET_VERSIONS = text("DELETE FROM versions WHERE schedule = :id")
DEFINE = text(
    "INSERT INTO definitions (schedule, revision, tenant, requires, body)"
    " VALUES (:id, :revision, :tenant, :requires, :body)"
    " ON CONFLICT (schedule, revision) DO UPDATE SET requires = excluded.requires,"
    " body = excluded.body"
)
KEEP_VERSION = text(
    "INSERT INTO versions (schedule, number, tenant, revision, since, held, rules)"
    " VALUES (:id, 1 + coalesce((SELECT max(number) FROM versions"
    " WHERE schedule = :id), 0), :tenant, :revision, :since, :held, :rules)"
)
_VERSIONS = text(
    "SELECT v.schedule, v.revision, v.since, d.body, v.held, v.rules FROM versions v"
    " JOIN definitions d ON d.schedule = v.schedule AND d.revision = v.revision"
    " WHERE v.schedule = :schedule AND v.since < :until AND v.tenant = :tenant"
    " ORDER BY v.number DESC LIMIT :limit"
)


def arrive(connection: Connection, item: MovedSchedule) -> None:
    """Store a schedule as it was elsewhere, in place of what there was of it."""
    schedule = item.schedule
    if schedule is not None:
        _check_name(connection, schedule)
        if references.lags(connection, schedule):
            lagging = {"tenant": item.tenant, "group": schedule.definition.group}
            connection.execute(_LAG, lagging)
    for revision, definition in item.definitions.items():
        kept = {"id": item.id, "revision": revision, "tenant": item.tenant}
        kept["requires"] = lanes.requires_out(definition)
        connection.execute(DEFINE, kept | {"body": definition_out(definition)})
    connection.execute(
        _ARRIVE,
        _dead(item) if schedule is None else values(schedule, limit=item.limit),
    )
    connection.execute(_FORGET_VERSIONS, {"id": item.id})
    for version in item.versions:
        connection.execute(
            KEEP_VERSION,
            {
                "id": item.id,
                "tenant": item.tenant,
                "revision": version.revision,
                "since": instant_out(version.since),
                "held": int(version.held),
                "rules": version.rules,
            },
        )


def _dead(item: MovedSchedule) -> Parameters:
    """Return the row of a deleted schedule: its id, its limit, and nothing else."""
    nothing = dict.fromkeys(("queue", "trigger", "group_name", "rules"), "")
    zero = dict.fromkeys(("occurrences", "held", "created_at", "updated_at"), 0)
    return {
        "id": item.id,
        "tenant": item.tenant,
        "name": None,
        "revision": max(item.definitions, default=1),
        "state": "deleted",
        "cursor": None,
        "max_concurrent": item.limit,
        "labels": "{}",
        "profile": None,
        **nothing,
        **zero,
    }


def check(connection: Connection, schedule: Schedule) -> None:
    """Refuse a schedule whose name is taken, or what it refers to is not so."""
    _check_name(connection, schedule)
    references.check(connection, schedule)


def replace(
    connection: Connection,
    before: Schedule,
    after: Schedule,
    *,
    limit: int,
    now: datetime,
) -> None:
    """Put a schedule in its own place, and tell what changed."""
    kept = values(after, limit=limit)
    connection.execute(DEFINE, kept)
    connection.execute(_UPDATE, kept)
    told = ("revision", "held", "rules")
    if any(getattr(before, name) != getattr(after, name) for name in told):
        connection.execute(KEEP_VERSION, {**kept, "since": instant_out(now)})
    events.of_schedule(connection, after, changes.of_update(before, after), now=now)


def versions(
    connection: Connection,
    tenant: str,
    schedule: str,
    *,
    until: datetime | None,
    limit: int,
) -> Sequence[Version]:
    """Return what was due under which version, newest first."""
    end = maybe_instant_out(until)
    asked: Parameters = {"tenant": tenant, "schedule": schedule, "limit": limit}
    asked["until"] = _AT_ANY_TIME if end is None else end
    return tuple(
        Version(
            schedule=row[0],
            revision=row[1],
            since=instant_in(row[2]),
            definition=definition_in(row[3]),
            held=bool(row[4]),
            rules=row[5],
        )
        for row in connection.execute(_VERSIONS, asked)
    )


_AT_ANY_TIME = 2**63 - 1


def _check_name(connection: Connection, schedule: Schedule) -> None:
    name = schedule.definition.name
    if name is None:
        return
    asked = {"tenant": schedule.tenant, "name": name, "id": schedule.id}
    holder = connection.execute(_HOLDER, asked).scalar()
    if holder is not None:
        raise errors.NameTaken("schedule", name, holder=holder)


def values(schedule: Schedule, *, limit: int) -> Parameters:
    """Return a schedule as the statements take it."""
    written = schedule.definition
    return {
        "id": schedule.id,
        "tenant": schedule.tenant,
        "name": written.name,
        "revision": schedule.revision,
        "state": schedule.state.value,
        "cursor": maybe_instant_out(schedule.cursor),
        "occurrences": schedule.occurrences,
        "max_concurrent": limit,
        "queue": written.queue,
        "trigger": trigger_kind(written.trigger),
        "labels": dumps(dict(written.labels)),
        "group_name": written.group,
        "profile": written.profile,
        "held": int(schedule.held),
        "rules": schedule.rules,
        "created_at": instant_out(schedule.created_at),
        "updated_at": instant_out(schedule.updated_at),
        "requires": lanes.requires_out(written),
        "body": definition_out(written),
    }
