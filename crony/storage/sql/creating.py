"""New schedules, a thousand as soon as one, in SQL.

What decides on them is read at once for all; a schedule of the batch then counts for
those after it as one that is stored does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from crony import errors
from crony.model.schedule import Schedule
from crony.storage import changes, rules
from crony.storage.codec import instant_out
from crony.storage.contract import Creation
from crony.storage.sql import defining, events, rows
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import Statement, each, text, total

_TENANT_HELD = text("SELECT held FROM tenants WHERE name = :tenant")
_IDS = text(
    f"SELECT s.id FROM {each('names', 'j')} CROSS JOIN schedules s WHERE s.id = j.value"
)
_HOLDERS = text(
    f"SELECT s.name, s.id FROM {each('names', 'j')} CROSS JOIN schedules s"
    " WHERE s.tenant = :tenant AND s.name = j.value"
)
_GROUPS = text(
    f"SELECT g.name, g.paused FROM {each('names', 'j')} CROSS JOIN schedule_groups g"
    " WHERE g.tenant = :tenant AND g.name = j.value"
)
_PROFILES = text(
    f"SELECT p.name, p.name FROM {each('names', 'j')} CROSS JOIN profiles p"
    " WHERE p.tenant = :tenant AND p.name = j.value"
)
#: No names, as a statement takes them in.
_NONE = rows.ids(())
_COUNT = text(
    f"SELECT {total('count')} FROM tallies WHERE tenant = :tenant"
    " AND queue = '' AND state IN ('active','paused','finished')"
)
_INSERT = text(
    "INSERT INTO schedules (id, tenant, name, revision, state, cursor, occurrences,"
    " max_concurrent, queue, trigger, labels, group_name, profile, held, rules,"
    " created_at, updated_at, tenant_held) VALUES (:id, :tenant, :name, :revision,"
    " :state, :cursor, :occurrences, :max_concurrent, :queue, :trigger, :labels,"
    " :group_name, :profile, :held, :rules, :created_at, :updated_at, :tenant_held)"
)
_FIRST_VERSION = text(
    "INSERT INTO versions (schedule, number, tenant, revision, since, held, rules)"
    " VALUES (:id, 1, :tenant, :revision, :since, :held, :rules)"
)

#: Each is of one schedule alone.
_REFUSALS = (errors.Conflict, errors.QuotaExceeded, errors.NotFound)


def create(
    connection: Connection, schedule: Schedule, *, limit: int, quota: int | None
) -> bool:
    """Store a new schedule; return whether its id was never used."""
    (result,) = create_all(connection, [Creation(schedule, limit)], quota=quota)
    if isinstance(result, errors.CronyError):
        raise result
    return result


def create_all(
    connection: Connection, batch: Sequence[Creation], *, quota: int | None
) -> list[bool | errors.CronyError]:
    """Store new schedules; return for each what ``create`` would, or would raise."""
    used = set(_known(connection, _IDS, {item.schedule.id for item in batch}))
    stands = {
        tenant: _stand(connection, tenant, [item.schedule for item in items])
        for tenant, items in _by_tenant(batch)
    }
    results: list[bool | errors.CronyError] = []
    new: list[Creation] = []
    for item in batch:
        schedule = item.schedule
        if schedule.id in used:
            results.append(False)
            continue
        try:
            stands[schedule.tenant].take(schedule, quota=quota)
        except _REFUSALS as exc:
            results.append(exc)
            continue
        used.add(schedule.id)
        new.append(item)
        results.append(True)
    _insert(connection, new, stands)
    return results


@dataclass(slots=True)
class _Stand:
    """What there is in a tenant of what new schedules ask for."""

    #: As it is kept.
    held: int
    count: int
    #: By name, the id of the schedule that has it.
    holders: dict[str, str] = field(default_factory=dict)
    #: By name, whether the group is paused.
    groups: dict[str, bool] = field(default_factory=dict)
    profiles: frozenset[str] = frozenset()

    def take(self, schedule: Schedule, *, quota: int | None) -> None:
        """Count a schedule in, or raise why it is refused."""
        written = schedule.definition
        if written.name is not None and written.name in self.holders:
            holder = self.holders[written.name]
            raise errors.NameTaken("schedule", written.name, holder=holder)
        if quota is not None and self.count >= quota:
            raise errors.QuotaExceeded(
                f"the tenant has {quota} schedules, which is all it may have",
                retry_after=rules.QUOTA_PAUSE,
            )
        if written.group not in self.groups:
            raise errors.NotFound("group", written.group)
        if written.profile is not None and written.profile not in self.profiles:
            raise errors.NotFound("profile", written.profile)
        if schedule.held != self.groups[written.group]:
            raise changes.lagging(written.group)
        self.count += 1
        if written.name is not None:
            self.holders[written.name] = schedule.id


def _by_tenant(
    batch: Sequence[Creation],
) -> Iterable[tuple[str, Iterable[Creation]]]:
    def tenant(item: Creation) -> str:
        return item.schedule.tenant

    return groupby(sorted(batch, key=tenant), key=tenant)


def _stand(
    connection: Connection, tenant: str, schedules: Sequence[Schedule]
) -> _Stand:
    written = [schedule.definition for schedule in schedules]
    names = {each.name for each in written if each.name is not None}
    groups = {each.group for each in written}
    profiles = {each.profile for each in written if each.profile is not None}
    found = _known(connection, _GROUPS, groups, tenant=tenant)
    return _Stand(
        held=connection.execute(_TENANT_HELD, {"tenant": tenant}).scalar() or 0,
        count=connection.execute(_COUNT, {"tenant": tenant}).scalar_one(),
        holders=_known(connection, _HOLDERS, names, tenant=tenant),
        groups={name: bool(paused) for name, paused in found.items()},
        profiles=frozenset(_known(connection, _PROFILES, profiles, tenant=tenant)),
    )


def _known(
    connection: Connection, statement: Statement, names: Iterable[str], **asked: str
) -> dict[str, Any]:
    """Return what is stored under those of the names that are known."""
    wanted = rows.ids(sorted(names))
    if wanted == _NONE:
        return {}
    found = connection.execute(statement, {"names": wanted, **asked})
    return {row[0]: row[-1] for row in found}


def _insert(
    connection: Connection, batch: Sequence[Creation], stands: Mapping[str, _Stand]
) -> None:
    schedules = [item.schedule for item in batch]
    values = [defining.values(item.schedule, limit=item.limit) for item in batch]
    for row, schedule in zip(values, schedules, strict=True):
        row["tenant_held"] = stands[schedule.tenant].held
        # What is due at its very beginning stands under its first version.
        row["since"] = instant_out(schedule.created_at) - 1
    connection.execute_each(defining.DEFINE, values)
    connection.execute_each(_INSERT, values)
    connection.execute_each(_FIRST_VERSION, values)
    events.of_new_schedules(connection, schedules)
