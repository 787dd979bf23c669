"""What an instant decides of runs that wait: overlaps, and deadlines, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crony.model import policy
from crony.model.lease import Change, Ready
from crony.model.state import EXECUTING, Reason, RunState
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.sql.admission import admit
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import in_hands, text
from crony.storage.sql.ending import CHANGED, Changed, end_unstarted, stop
from crony.storage.sql.places import Place

_UNDECIDED = text(
    f"SELECT {CHANGED}, r.overlap, r.due_at FROM runs r WHERE r.overlap IS NOT NULL"
    " AND r.state = 'pending' AND r.due_at <= :now ORDER BY r.due_at, r.id"
    " LIMIT :limit"
)
_BOUNDED = text(
    f"SELECT {CHANGED} FROM runs r WHERE r.deadline_at IS NOT NULL"
    " AND r.state IN ('pending','leased') AND r.deadline_at <= :now"
    " ORDER BY r.deadline_at, r.id LIMIT :limit"
)
_DECIDED = text("UPDATE runs SET overlap = NULL WHERE id = :run")
_LIMIT = text("SELECT max_concurrent FROM schedules WHERE id = :schedule")
_BEFORE = (
    " AND r.origin NOT IN ('backfill','hook') AND (r.due_at, r.id) < (:due_at, :run)"
)
#: What is held, and what waits, each through its own index.
_IN_THE_WAY = text(
    f"SELECT {CHANGED}, r.due_at FROM runs r WHERE r.schedule = :schedule"
    f" AND {in_hands('r.')}{_BEFORE} UNION ALL"
    f" SELECT {CHANGED}, r.due_at FROM runs r WHERE r.schedule = :schedule"
    f" AND r.state = 'pending'{_BEFORE}"
)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A run whose overlap is to be decided on: ``skip`` or ``replace``."""

    run: Changed
    kind: str
    #: As kept.
    due_at: int

    @property
    def tenant(self) -> str:
        """Whose run it is."""
        return self.run.tenant


def undecided(
    connection: Connection, *, now: datetime, limit: int
) -> Sequence[Undecided]:
    """Return the runs whose overlap is to be decided on, in the order of that."""
    asked = {"now": instant_out(now), "limit": limit}
    return [
        Undecided(Changed.of(row), kind, due_at)
        for *row, kind, due_at in connection.execute(_UNDECIDED, asked)
    ]


def bounded(connection: Connection, *, now: datetime, limit: int) -> list[Changed]:
    """Return the runs that have not started by their deadline."""
    asked = {"now": instant_out(now), "limit": limit}
    return [Changed.of(row) for row in connection.execute(_BOUNDED, asked)]


def overlap(
    connection: Connection, due: Sequence[Undecided], *, now: datetime
) -> tuple[Sequence[Change], Ready]:
    """Decide on runs whose instant has come while others were in their way."""
    changed: list[Change] = []
    left: list[Place] = []
    touched = set()
    for item in due:
        touched.add(item.run.schedule)
        for changes, places in _decide(connection, item, now=now):
            changed += changes
            left += places
    return tuple(changed), admit(connection, touched, left=left)


def _decide(
    connection: Connection, item: Undecided, *, now: datetime
) -> list[tuple[list[Change], list[Place]]]:
    """Decide on one; return what changed, and the places that were left."""
    run = item.run
    connection.execute(_DECIDED, {"run": run.id})
    asked = {"schedule": run.schedule, "run": run.id, "due_at": item.due_at}
    found = connection.execute(_IN_THE_WAY, asked).all()
    way = [Changed.of(row) for row in sorted(found, key=lambda row: (row[-1], row[0]))]
    limit = connection.execute(_LIMIT, {"schedule": run.schedule}).scalar_one()
    if len(way) < limit:
        return []
    if item.kind == policy.SKIP:
        end = (RunState.SKIPPED, Reason.OVERLAP)
        return [end_unstarted(connection, [run], *end, now=now)]
    given = rules.giving_way(way, limit=limit)
    return [_replace(connection, other, now=now) for other in given]


def _replace(
    connection: Connection, run: Changed, *, now: datetime
) -> tuple[list[Change], list[Place]]:
    if run.state in EXECUTING:
        return stop(connection, [run], Reason.REPLACED, now=now), []
    end = (RunState.CANCELLED, Reason.REPLACED)
    return end_unstarted(connection, [run], *end, now=now)


def lapse(
    connection: Connection, gone: Sequence[Changed], *, now: datetime
) -> tuple[Sequence[Change], Ready]:
    """Expire runs that have not started by their deadline."""
    changed, left = end_unstarted(
        connection, gone, RunState.EXPIRED, Reason.DEADLINE, now=now
    )
    return tuple(changed), admit(connection, {r.schedule for r in gone}, left=left)
