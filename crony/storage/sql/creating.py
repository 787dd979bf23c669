"""New schedules, a thousand as soon as one, in SQL.

What decides on them is read at once for all; a schedule of the batch then counts for
those after it as one that is stored does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from crony import errors
from crony.model.schedule import Schedule
from crony.storage import changes, rules
from crony.storage.codec import instant_out
from crony.storage.contract import Creation
from crony.storage.sql import defining, events, rows
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import each, text, total

#: All that decides, as (kind, name, value). Types must agree, so all of it is text.
_STAND = text(
    "SELECT 'held', '', CAST(held AS TEXT) FROM tenants WHERE name = :tenant"
    f" UNION ALL SELECT 'count', '', CAST({total('count')} AS TEXT) FROM tallies"
    " WHERE tenant = :tenant AND queue = ''"
    " AND state IN ('active','paused','finished')"
    f" UNION ALL SELECT 'used', s.id, s.id FROM {each('ids', 'i')}"
    " CROSS JOIN schedules s WHERE s.id = i.value"
    f" UNION ALL SELECT 'holder', s.name, s.id FROM {each('names', 'n')}"
    " CROSS JOIN schedules s WHERE s.tenant = :tenant AND s.name = n.value"
    " UNION ALL SELECT 'group', g.name, CAST(g.paused AS TEXT)"
    f" FROM {each('groups', 'h')} CROSS JOIN schedule_groups g"
    " WHERE g.tenant = :tenant AND g.name = h.value"
    f" UNION ALL SELECT 'profile', p.name, p.name FROM {each('profiles', 'o')}"
    " CROSS JOIN profiles p WHERE p.tenant = :tenant AND p.name = o.value"
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


def create_all(
    connection: Connection,
    batch: Sequence[Creation],
    quotas: Sequence[int | None],
) -> list[bool | errors.CronyError]:
    """Store new schedules; return for each what ``create`` would, or would raise.

    Each has a quota of its own.
    """
    stands = {
        tenant: _stand(connection, tenant, [item.schedule for item in items])
        for tenant, items in _by_tenant(batch)
    }
    used = {name for stand in stands.values() for name in stand.used}
    results: list[bool | errors.CronyError] = []
    new: list[Creation] = []
    for item, quota in zip(batch, quotas, strict=True):
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
    held: int = 0
    count: int = 0
    #: Of the ids asked for, those that were ever used.
    used: list[str] = field(default_factory=list)
    #: By name, the id of the schedule that has it.
    holders: dict[str, str] = field(default_factory=dict)
    #: By name, whether the group is paused.
    groups: dict[str, bool] = field(default_factory=dict)
    profiles: set[str] = field(default_factory=set)

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
    asked = {
        "tenant": tenant,
        "ids": rows.ids(each.id for each in schedules),
        "names": rows.ids({each.name for each in written if each.name is not None}),
        "groups": rows.ids({each.group for each in written}),
        "profiles": rows.ids(
            {each.profile for each in written if each.profile is not None}
        ),
    }
    stand = _Stand()
    for kind, name, value in connection.execute(_STAND, asked):
        match kind:
            case "held":
                stand.held = int(value)
            case "count":
                stand.count = int(value)
            case "used":
                stand.used.append(name)
            case "holder":
                stand.holders[name] = value
            case "group":
                stand.groups[name] = value != "0"
            case "profile":
                stand.profiles.add(name)
    return stand


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
