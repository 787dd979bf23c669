"""Runs of low priority make room for those of higher priority, in SQL.

Of a lane, the first runs suffice: all of it may go to the same workers and count
towards the same limits, so that where there is no victim for one, there is none for
those behind it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crony.model import policy
from crony.model.lease import Change
from crony.model.state import Reason, RunState
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.sql import dialect, places
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import among, each_number, in_hands, packed_rows, text
from crony.storage.sql.ending import Changed, stop
from crony.storage.sql.rows import ids

_ANY = text(
    "SELECT r.priority FROM runs r WHERE r.preemptible = 1 AND r.state = 'running'"
    " ORDER BY r.priority LIMIT 1"
)
_VICTIMS = text(
    "SELECT r.id, r.schedule, r.tenant, r.worker, r.group_name, r.origin, r.priority,"
    " r.started_at, r.expires_at, r.catch_up FROM runs r WHERE r.preemptible = 1"
    " AND r.state = 'running' AND r.priority < :below"
    f" AND r.tenant IN {among('tenants')}"
    " ORDER BY r.priority, r.started_at DESC, r.id"
)
_RANK = f"r.priority, {dialect.TURN}, r.catch_up, r.due_at, r.id"
_SINCE = (
    "r.available_at <= :since AND r.priority > :above"
    " AND (r.reserved_for IS NULL OR r.reserved_until <= :now)"
)
#: Those of hooks' runs have no group: nobody gives way to them.
_LANES = text(
    "SELECT l.id, l.tenant FROM lanes l WHERE l.group_name <> '' AND NOT EXISTS"
    " (SELECT 1 FROM tenants t WHERE t.name = l.tenant AND t.held = 1) AND"
    " (SELECT 1 FROM runs r WHERE r.lane = l.id AND r.catch_up IN (0, 1)"
    " AND r.priority > :above AND r.state = 'pending' AND r.admitted = 1"
    " AND r.waiting = 0 LIMIT 1) = 1"
)
_WAIT = text(
    f"SELECT l.value, (SELECT {packed_rows('priority, turn, catch_up, due_at, id')}"
    " FROM (SELECT r.priority,"
    f" {dialect.TURN} AS turn, r.catch_up, r.due_at, r.id FROM runs r"
    " WHERE r.lane = l.value AND r.catch_up = :catch_up"
    " AND r.state = 'pending' AND r.admitted = 1 AND r.waiting = 0"
    f" AND {_SINCE}"
    f" ORDER BY r.priority DESC, {dialect.TURN}, r.due_at, r.id LIMIT :limit) found)"
    f" FROM {each_number('lanes', 'l')}"
)
#: What became available and was not promoted yet: few, for a tick promotes them.
_OVERDUE = text(
    f"SELECT r.lane, r.tenant, {_RANK} FROM runs r WHERE r.state = 'pending'"
    " AND r.waiting = 1"
    # Not by the index of what is admitted.
    f" AND r.admitted + 0 = 1 AND r.origin <> 'hook' AND {_SINCE} AND NOT EXISTS"
    " (SELECT 1 FROM tenants t WHERE t.name = r.tenant AND t.held = 1)"
)
_OF_LANES = text(
    "SELECT l.id, l.tenant, l.queue, l.requires, l.level, l.group_name"
    f" FROM {each_number('lanes', 'j')} JOIN lanes l ON l.id = j.value"
)
_WORKERS = text(
    "SELECT w.id, w.tenant, w.queues, w.labels, w.sandbox_level, w.slots,"
    " (SELECT count(*) FROM runs r WHERE r.worker = w.id"
    f" AND {in_hands('r.')}),"
    " (SELECT count(*) FROM runs r WHERE r.worker = w.id"
    f" AND {in_hands('r.')} AND r.catch_up = 1)"
    f" FROM workers w WHERE w.tenant IN {among('tenants')}"
    " AND w.draining = 0 AND w.lost = 0"
)
_RESERVE = text(
    "UPDATE runs SET reserved_for = :worker, reserved_until = :until WHERE id = :run"
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A run that has waited long enough; ``rank`` is its place in the order."""

    rank: tuple[int, int, int, int, str]
    lane: int
    tenant: str

    @property
    def id(self) -> str:
        return self.rank[-1]

    @property
    def priority(self) -> int:
        return -self.rank[0]

    @property
    def catch_up(self) -> bool:
        return bool(self.rank[2])


@dataclass(frozen=True, slots=True)
class _Victim:
    """A run that may be stopped, as kept."""

    id: str
    schedule: str
    tenant: str
    worker: str
    group: str
    origin: str
    priority: int
    started_at: int
    expires_at: int
    catch_up: int


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a candidate may run, and what keeps it."""

    group: str
    #: Workers that may execute it,
    workers: frozenset[str]
    #: and how many more runs that catch up they may have, which lines share.
    room: Counter[str]
    #: Whether one of them has a slot without a lease.
    slot: bool
    #: Whether there is no place in its group, or in its tenant.
    group_full: bool
    full: bool


def waiting(connection: Connection, *, now: datetime, limit: int) -> list[_Candidate]:
    """Return what has waited long enough for a run that may give way."""
    least = connection.execute(_ANY).scalar()
    if least is None:
        return []
    asked = {"above": least, "now": instant_out(now), "limit": limit}
    asked["since"] = instant_out(now - policy.PREEMPT_AFTER)
    found = connection.execute(_LANES, {"above": least}).all()
    tenants = {lane: tenant for lane, tenant, *_ in found}
    candidates = []
    for catch_up in (0, 1):
        named = {**asked, "lanes": json.dumps(list(tenants)), "catch_up": catch_up}
        for lane, group in connection.execute(_WAIT, named):
            for priority, *rest in json.loads(group):
                candidates.append(_Candidate((-priority, *rest), lane, tenants[lane]))
    asked.pop("limit")
    for lane, tenant, priority, *rest in connection.execute(_OVERDUE, asked):
        candidates.append(_Candidate((-priority, *rest), lane, tenant))
    return sorted(candidates, key=lambda candidate: candidate.rank)


def preempt(
    connection: Connection,
    candidates: Sequence[_Candidate],
    *,
    now: datetime,
    limit: int,
) -> Sequence[Change]:
    """Stop preemptible runs for what has waited long enough."""
    if not candidates:
        return ()
    lines, tenants = _lines(connection, {c.lane for c in candidates})
    asked = {"below": candidates[0].priority, "tenants": ids(sorted(tenants))}
    victims = [_Victim(*row) for row in connection.execute(_VICTIMS, asked)]
    stopped: list[_Victim] = []
    for candidate in candidates:
        if len(stopped) == limit:
            break
        victim = _victim(victims, lines[candidate.lane], candidate)
        if victim is not None:
            victims.remove(victim)
            stopped.append(victim)
            if candidate.catch_up and not victim.catch_up:
                lines[candidate.lane].room[victim.worker] -= 1
            reserved = {"worker": victim.worker, "until": victim.expires_at}
            connection.execute(_RESERVE, {"run": candidate.id, **reserved})
    changed = [
        Changed(v.id, v.schedule, v.tenant, v.worker, RunState.RUNNING, None)
        for v in stopped
    ]
    return tuple(stop(connection, changed, Reason.PREEMPTED, now=now))


def _victim(
    victims: Sequence[_Victim], line: _Line, candidate: _Candidate
) -> _Victim | None:
    """Return the run that is to make room for this one, if one should and can."""
    if line.slot and not line.full:
        return None
    for victim in victims:
        if (
            victim.priority < candidate.priority
            and victim.worker in line.workers
            and (not line.group_full or victim.group == line.group)
            # A hook's run takes no place that it could free.
            and not (line.full and victim.origin == "hook")
            # A worker takes only so many that catch up.
            and (
                not candidate.catch_up
                or victim.catch_up
                or line.room[victim.worker] > 0
            )
        ):
            return victim
    return None


def _lines(connection: Connection, of: set[int]) -> tuple[dict[int, _Line], set[str]]:
    """Return what is to be known of lanes, and their tenants."""
    rows = connection.execute(_OF_LANES, {"lanes": json.dumps(sorted(of))}).all()
    tenants = {row[1] for row in rows}
    workers = connection.execute(_WORKERS, {"tenants": ids(sorted(tenants))}).all()
    room = Counter({w[0]: rules.catch_up_share(w[5]) - w[7] for w in workers})
    lines = {}
    for lane, tenant, queue, requires, level, group in rows:
        able = [
            worker
            for worker in workers
            if worker[1] == tenant
            and queue in json.loads(worker[2])
            and rules.carries(json.loads(worker[3]), json.loads(requires))
            and rules.rank(worker[4]) >= level
        ]
        groups = places.of_groups(connection, tenant, [group])
        group_full = group in groups and not groups[group].open
        full = group_full or not places.of_tenant(connection, tenant).open
        lines[lane] = _Line(
            group,
            frozenset(worker[0] for worker in able),
            room,
            any(worker[6] < worker[5] for worker in able),
            group_full,
            full,
        )
    return lines, tenants
