"""Which runs of a schedule may be leased now.

Admission is a mark on the pending run, derived from all runs of its schedule and
set anew, for the schedules that a verb touched, before the verb commits. Nothing
is counted up and down, so that no crash can leave a slot behind.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable

from crony.model.lease import Ready
from crony.storage.sql import dialect, places
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import among, each, in_hands, packed, text
from crony.storage.sql.places import Place
from crony.storage.sql.rows import ids

_PENDING = "FROM runs r WHERE r.schedule = s.id AND r.state = 'pending'"
_HOOKS = f"SELECT r.id {_PENDING} AND {dialect.OF_HOOK} = 1"
_ADMITTED = f"SELECT r.id {_PENDING} AND r.admitted = 1"
#: Of each schedule, how many runs may be admitted beside those held by workers, its
#: hooks' runs, which no limit holds back, and what is admitted. Looked up one schedule
#: after the other: planners tend to read all that waits, of whichever schedule.
_STANDING = text(
    "SELECT s.id, s.max_concurrent - (SELECT count(*) FROM runs r"
    f" WHERE r.schedule = s.id AND {dialect.OF_HOOK} = 0"
    f" AND {in_hands('r.')}),"
    f" (SELECT {packed('id')} FROM ({_HOOKS}) found),"
    f" (SELECT {packed('id')} FROM ({_ADMITTED}) found)"
    f" FROM {each('schedules', 'j')} JOIN schedules s ON s.id = j.value"
)

#: The first runs of each schedule: those waiting for a retry, then by due time.
_FIRST = text(
    f"SELECT (SELECT {packed('id')} FROM (SELECT r.id FROM runs r"
    f" WHERE r.schedule = j.value AND {dialect.OF_HOOK} = 0 AND r.state = 'pending'"
    f" ORDER BY {dialect.UNTRIED}, r.due_at, r.id LIMIT :free) found)"
    f" FROM {each('schedules', 'j')}"
)

_ADMIT = text(
    f"UPDATE runs SET admitted = 1 WHERE id IN {among('runs')} RETURNING tenant, queue"
)

_DISMISS = text(f"UPDATE runs SET admitted = 0 WHERE id IN {among('runs')}")


#: No ids, as they are packed.
_NONE = "[]"


def admit(
    connection: Connection, schedules: Collection[str], *, left: Iterable[Place] = ()
) -> Ready:
    """Admit anew in these schedules; return the lines of what was admitted.

    A verb that makes a run pending leaves it unadmitted, and is told here. ``left``
    is what ``places.freed`` takes: the lines of what waited for that come as well.
    """
    return _admit(connection, schedules) | places.freed(connection, left)


def _admit(connection: Connection, schedules: Collection[str]) -> Ready:
    if not schedules:
        return frozenset()
    touched = {"schedules": ids(set(schedules))}
    by_room: dict[int, list[str]] = defaultdict(list)
    first: set[str] = set()
    admitted: set[str] = set()
    for schedule, free, hooks, before in connection.execute(_STANDING, touched).all():
        if hooks != _NONE:
            first.update(json.loads(hooks))
        if before != _NONE:
            admitted.update(json.loads(before))
        if free > 0:
            by_room[free].append(schedule)
    for free, names in by_room.items():
        found = connection.execute(_FIRST, {"schedules": ids(names), "free": free})
        for group in found.scalars():
            first.update(json.loads(group))
    if admitted - first:
        connection.execute(_DISMISS, {"runs": ids(admitted - first)})
    if not first - admitted:
        return frozenset()
    lines = connection.execute(_ADMIT, {"runs": ids(first - admitted)})
    return frozenset((tenant, queue) for tenant, queue in lines.all())
