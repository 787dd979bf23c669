"""Limits of groups and tenants: who takes them up, and what a free place lets go.

What is held is counted anew each time, so that no crash can leave a place behind.
A count reads as many entries of an index as the limit allows, and only where there
is a limit.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from crony.model.lease import Ready
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import each, in_hands, part, text
from crony.storage.sql.rows import ids

#: A tenant and one of its groups.
Place = tuple[str, str]

_HELD = (
    "(SELECT count(*) FROM runs r WHERE r.tenant = {tenant}{group}"
    f" AND {in_hands('r.')} AND r.origin <> 'hook')"
)
_HELD_BY_TENANT = _HELD.format(tenant="t.name", group="")
_HELD_BY_GROUP = _HELD.format(tenant="g.tenant", group=" AND r.group_name = g.name")

_HOLDING = text("SELECT 1 FROM tenants WHERE name = :tenant AND held = 1")
#: A group may be gone while its runs go on: then it has no limit.
_LIMITED = text(
    f"SELECT {part('j', 0)}, {part('j', 1)}, t.max_concurrent,"
    f" CASE WHEN t.max_concurrent IS NOT NULL THEN {_HELD_BY_TENANT} END,"
    " g.max_concurrent,"
    f" CASE WHEN g.max_concurrent IS NOT NULL THEN {_HELD_BY_GROUP} END"
    f" FROM {each('places', 'j')} JOIN tenants t ON t.name = {part('j', 0)}"
    " LEFT JOIN schedule_groups g"
    f" ON g.tenant = {part('j', 0)} AND g.name = {part('j', 1)}"
    " WHERE t.held = 0"
    " AND (t.max_concurrent IS NOT NULL OR g.max_concurrent IS NOT NULL)"
)
_TENANT_HELD = text(
    f"SELECT t.max_concurrent, {_HELD_BY_TENANT} FROM tenants t"
    " WHERE t.name = :tenant AND t.max_concurrent IS NOT NULL"
)
_GROUPS_HELD = text(
    f"SELECT g.name, g.max_concurrent, {_HELD_BY_GROUP} FROM {each('groups', 'j')}"
    " JOIN schedule_groups g ON g.tenant = :tenant AND g.name = j.value"
    " WHERE g.max_concurrent IS NOT NULL"
)
#: All that keeps a worker from taking a run, looked up at once.
_FOR_WORKER = text(
    "SELECT NULL, t.max_concurrent,"
    f" CASE WHEN t.max_concurrent IS NOT NULL THEN {_HELD_BY_TENANT} END, t.held,"
    " (SELECT count(*) FROM runs r WHERE r.worker = :worker"
    f" AND {in_hands('r.')} AND r.catch_up = 1)"
    " FROM tenants t WHERE t.name = :tenant"
    f" UNION ALL SELECT g.name, g.max_concurrent, {_HELD_BY_GROUP}, 0, 0"
    f" FROM {each('groups', 'j')}"
    " JOIN schedule_groups g ON g.tenant = :tenant AND g.name = j.value"
    " WHERE g.max_concurrent IS NOT NULL"
)
#: The groups whose runs wait for a place, and in which lines: those of each lane that
#: may be leased now, and what is not available yet, of which there is little. With
#: ``hooks`` hooks' runs, which wait for no place, are among them, without a group.
#: Said so that planners look at one lane after the other, and at little of each.
_WAITING = text(
    "SELECT l.group_name, l.queue FROM lanes l WHERE l.tenant = :tenant"
    " AND l.group_name = coalesce(:group, l.group_name)"
    " AND (l.group_name <> '' OR :hooks = 1)"
    " AND (SELECT 1 FROM runs r WHERE r.lane = l.id AND r.state = 'pending'"
    " AND r.admitted = 1 AND r.waiting = 0 LIMIT 1) = 1"
    " UNION SELECT w.grouped, w.queue FROM (SELECT CASE WHEN r.origin <> 'hook'"
    " THEN r.group_name ELSE '' END AS grouped, r.queue FROM runs r"
    " WHERE r.state = 'pending' AND r.waiting = 1 AND r.admitted + 0 = 1"
    " AND r.tenant = :tenant AND (r.origin <> 'hook' OR :hooks = 1)) w"
    " WHERE w.grouped = coalesce(:group, w.grouped)"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """How far a limit is taken up; without a limit there is always a place."""

    limit: int | None
    held: int = 0

    @property
    def free(self) -> int | None:
        """How many more there may be; ``None``: any number."""
        return None if self.limit is None else max(0, self.limit - self.held)

    @property
    def open(self) -> bool:
        """Whether there is a place."""
        return self.free != 0


#: What there is no limit for.
UNLIMITED = Taken(None)


def is_held(connection: Connection, tenant: str) -> bool:
    """Return whether nothing of a tenant is leased."""
    return connection.execute(_HOLDING, {"tenant": tenant}).first() is not None


def is_open(connection: Connection, tenant: str) -> bool:
    """Return whether one more of a tenant's runs may be leased, as far as it says."""
    return not is_held(connection, tenant) and of_tenant(connection, tenant).open


@dataclass(frozen=True, slots=True)
class ForWorker:
    """What keeps a worker from taking runs of its tenant."""

    held: bool
    tenant: Taken
    #: Of the groups that have a limit.
    groups: Mapping[str, Taken]
    #: How many runs that catch up are in its hands.
    catching_up: int


def for_worker(
    connection: Connection, tenant: str, worker: str, groups: Collection[str]
) -> ForWorker:
    """Return what keeps a worker from taking runs of these groups."""
    asked = {"tenant": tenant, "worker": worker, "groups": ids(sorted(groups))}
    held, tenant_taken, catching_up = False, UNLIMITED, 0
    taken: dict[str, Taken] = {}
    for name, limit, count, is_held, catch_up in connection.execute(_FOR_WORKER, asked):
        if name is None:
            held, catching_up = bool(is_held), catch_up
            tenant_taken = Taken(limit, count or 0)
        else:
            taken[name] = Taken(limit, count)
    return ForWorker(held, tenant_taken, taken, catching_up)


def of_tenant(connection: Connection, tenant: str) -> Taken:
    """Return how far the limit of a tenant is taken up."""
    row = connection.execute(_TENANT_HELD, {"tenant": tenant}).first()
    return UNLIMITED if row is None else Taken(*row)


def of_groups(
    connection: Connection, tenant: str, names: Collection[str]
) -> Mapping[str, Taken]:
    """Return how far the limits of groups are taken up, of those that have one."""
    asked = {"tenant": tenant, "groups": ids(sorted(set(names)))}
    rows = connection.execute(_GROUPS_HELD, asked)
    return {row[0]: Taken(row[1], row[2]) for row in rows}


def freed(connection: Connection, left: Iterable[Place]) -> Ready:
    """Return the lines of the runs that have a place only now.

    ``left`` has the tenant and group of each run that has left its worker's hands,
    hooks' runs apart.
    """
    groups = Counter(left)
    if not groups:
        return frozenset()
    asked = {"places": json.dumps(list(groups))}
    limited = connection.execute(_LIMITED, asked).all()
    tenants: Counter[str] = Counter()
    for (tenant, _), count in groups.items():
        tenants[tenant] += count
    lines: set[tuple[str, str]] = set()
    for tenant, name, most, held, group_most, group_held in limited:
        now = Taken(most, held or 0)
        before = Taken(most, now.held + tenants[tenant])
        if now.open and not before.open:
            # All groups of the tenant waited, this one among them.
            lines |= opened(connection, tenant)
            continue
        group = Taken(group_most, group_held or 0)
        earlier = Taken(group_most, group.held + groups[tenant, name])
        if now.open and group.open and not earlier.open:
            lines |= opened(connection, tenant, name)
    return frozenset(lines)


def opened(connection: Connection, tenant: str, group: str | None = None) -> Ready:
    """Return the lines of a tenant in which runs wait, in groups with a place.

    With ``group``, only those of its runs. That the tenant has a place is known.
    """
    return _opened(connection, tenant, group, hooks=False)


def released(connection: Connection, tenant: str) -> Ready:
    """Return the lines of a tenant that is held no longer: those that may go on."""
    if of_tenant(connection, tenant).open:
        return _opened(connection, tenant, None, hooks=True)
    return _opened(connection, tenant, "", hooks=True)


def _opened(
    connection: Connection, tenant: str, group: str | None, *, hooks: bool
) -> Ready:
    asked = {"tenant": tenant, "group": group, "hooks": int(hooks)}
    waiting = connection.execute(_WAITING, asked).all()
    full = of_groups(connection, tenant, {name for name, _ in waiting})
    return frozenset(
        (tenant, queue) for name, queue in waiting if full.get(name, UNLIMITED).open
    )
