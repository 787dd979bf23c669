"""Old runs go, and are counted, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crony.model.moving import Pruned
from crony.model.schedule import Schedule
from crony.model.state import RunState
from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import Position
from crony.storage.sql import dialect, rows, walking
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import among, each, text
from crony.storage.sql.rows import SCHEDULE_COLUMNS, SCHEDULES

_ENDED = f"r.schedule = :schedule AND {dialect.ended('r.')}"
_UNFINISHED = "('pending','leased','running','stopping','withdrawn')"
#: The newest of those beyond what is kept.
_EDGE = text(
    f"SELECT {dialect.ENDED_AT}, r.id FROM runs r WHERE {_ENDED}"
    f" AND r.origin <> 'hook' ORDER BY {dialect.ENDED_AT} DESC, r.id DESC"
    " LIMIT 1 OFFSET :keep"
)
_OLD = (
    f"SELECT {dialect.ENDED_AT}, r.id FROM runs r WHERE {_ENDED}"
    f" AND {dialect.ENDED_AT} <= :at AND ({dialect.ENDED_AT}, r.id) <= (:at, :edge)"
    " AND r.scheduled_for <= :now AND NOT EXISTS (SELECT 1 FROM runs c"
    f" WHERE c.parent = r.id AND c.state IN {_UNFINISHED})"
)
_FIRST = f" ORDER BY {dialect.ENDED_AT}, r.id LIMIT :limit"
_GONE = text(
    f"{_OLD} AND r.origin <> 'hook'"
    f" AND NOT EXISTS (SELECT 1 FROM follow_ups f WHERE f.run = r.id){_FIRST}"
)
#: Of hooks, those whose parent is gone.
_ORPHANED = text(
    f"{_OLD} AND r.origin = 'hook'"
    f" AND NOT EXISTS (SELECT 1 FROM runs p WHERE p.id = r.parent){_FIRST}"
)
_HOOKS = text(
    "SELECT r.id FROM runs r WHERE r.parent = :parent AND r.origin = 'hook'"
    " ORDER BY r.scheduled_for, r.id LIMIT :limit"
)
_WITHDRAWN = text(
    "SELECT r.id FROM runs r WHERE r.schedule = :schedule AND r.state = 'withdrawn'"
    " AND r.scheduled_for < :end ORDER BY r.scheduled_for, r.id LIMIT :limit"
)
_SCHEDULE = text("SELECT state, cursor FROM schedules WHERE id = :schedule")
_COUNT = text(
    "INSERT INTO pruned (schedule, kind, state, tenant, count, until)"
    " SELECT r.schedule,"
    " CASE WHEN r.origin = 'schedule' THEN 'occurrences' ELSE 'others' END AS kind,"
    " r.state, r.tenant, sum(r.range_count),"
    " max(coalesce(r.range_until, r.scheduled_for))"
    f" FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
    " GROUP BY r.schedule, kind, r.state, r.tenant"
    " ON CONFLICT (schedule, kind, state) DO UPDATE SET"
    f" count = pruned.count + excluded.count,"
    f" until = {dialect.greatest('pruned.until', 'excluded.until')}"
)
#: What belongs to runs, and the runs last.
_REMOVE = tuple(
    text(f"DELETE FROM {table} WHERE {column} IN {among('runs')}")
    for table, column in (
        ("pieces", "run"),
        ("outputs", "run"),
        ("attempts", "run"),
        ("lapsed", "run"),
        ("runs", "id"),
    )
)
_ANY_RUN = text("SELECT 1 FROM runs WHERE schedule = :schedule LIMIT 1")
_ANY_DEFINITION = text("SELECT 1 FROM definitions WHERE schedule = :schedule LIMIT 1")
_FORGET = tuple(
    text(f"DELETE FROM {table} WHERE schedule = :schedule")
    for table in ("definitions", "versions")
)
_PRUNED = text(
    "SELECT kind, state, count, until FROM pruned WHERE schedule = :schedule"
    " AND tenant = :tenant"
)
_FORGET_PRUNED = text("DELETE FROM pruned WHERE schedule = :schedule")
_KEEP_PRUNED = text(
    "INSERT INTO pruned (schedule, kind, state, tenant, count, until)"
    " VALUES (:schedule, :kind, :state, :tenant, :count, :until)"
)
_OWNED = text("SELECT 1 FROM schedules WHERE id = :schedule AND tenant = :tenant")
_THERE = text(
    f"SELECT s.id, s.tenant FROM {each('schedules', 'j')}"
    " CROSS JOIN schedules s WHERE s.id = j.value"
    " AND (EXISTS (SELECT 1 FROM runs r WHERE r.schedule = s.id)"
    " OR (s.state = 'deleted'"
    " AND EXISTS (SELECT 1 FROM definitions d WHERE d.schedule = s.id)))"
    " ORDER BY s.tenant, s.id"
)
_ALIVE = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {each('schedules', 'j')}"
    f" CROSS JOIN {SCHEDULES} WHERE s.id = j.value AND s.state <> 'deleted'"
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of a schedule's runs is kept; instants as kept."""

    keep: int
    before: int
    now: int


def wanted(connection: Connection, tenant: str, schedule: str, bounds: Bounds) -> bool:
    """Return whether there is anything of the tenant's to remove."""
    owned = {"schedule": schedule, "tenant": tenant}
    if connection.execute(_OWNED, owned).first() is None:
        return False
    if _gone(connection, schedule, bounds, limit=1):
        return True
    if _withdrawn(connection, schedule, bounds, limit=1):
        return True
    return _to_forget(connection, schedule)


def prune(connection: Connection, schedule: str, bounds: Bounds, *, limit: int) -> int:
    """Remove what nobody has to answer for any more; return how many runs."""
    gone = _gone(connection, schedule, bounds, limit=limit)
    if gone:
        connection.execute(_COUNT, {"runs": rows.ids(gone)})
    gone += _withdrawn(connection, schedule, bounds, limit=limit - len(gone))
    if gone:
        remove(connection, rows.ids(gone))
    if _to_forget(connection, schedule):
        for statement in _FORGET:
            connection.execute(statement, {"schedule": schedule})
    return len(gone)


def remove(connection: Connection, runs: str) -> None:
    """Forget runs, named as ``rows.ids``, with their attempts and output."""
    for statement in _REMOVE:
        connection.execute(statement, {"runs": runs})


def _gone(
    connection: Connection, schedule: str, bounds: Bounds, *, limit: int
) -> list[str]:
    """Return the ended runs that go, in the order in which they do."""
    asked: Parameters = {"schedule": schedule, "now": bounds.now, "limit": limit}
    edge = connection.execute(
        _EDGE, {"schedule": schedule, "keep": bounds.keep}
    ).first()
    # What ended before comes up to the last millisecond, whatever its id.
    last = (bounds.before - 1, "~")
    asked["at"], asked["edge"] = last if edge is None else max(last, edge)
    found = [
        *connection.execute(_GONE, asked),
        *connection.execute(_ORPHANED, asked),
    ]
    gone: list[str] = []
    for _, run in sorted(found):
        hooks = {"parent": run, "limit": limit - len(gone)}
        gone += [*connection.execute(_HOOKS, hooks).scalars(), run]
        if len(gone) >= limit:
            break
    return gone[:limit]


def _withdrawn(
    connection: Connection, schedule: str, bounds: Bounds, *, limit: int
) -> list[str]:
    """Return the withdrawn runs that will not be due again."""
    found = connection.execute(_SCHEDULE, {"schedule": schedule}).first()
    state, cursor = found or ("deleted", None)
    end = bounds.before
    if state == "deleted":
        end = dialect.NEVER
    elif cursor is not None:
        end = min(end, cursor)
    asked = {"schedule": schedule, "end": end, "limit": limit}
    return list(connection.execute(_WITHDRAWN, asked).scalars())


def _to_forget(connection: Connection, schedule: str) -> bool:
    """Return whether the schedule is deleted and only its definitions are left."""
    asked = {"schedule": schedule}
    found = connection.execute(_SCHEDULE, asked).first()
    return (
        (found is None or found[0] == "deleted")
        and connection.execute(_ANY_RUN, asked).first() is None
        and connection.execute(_ANY_DEFINITION, asked).first() is not None
    )


def pruned(connection: Connection, tenant: str, schedule: str) -> Pruned | None:
    """Return what is left of the runs that were pruned."""
    found = connection.execute(_PRUNED, {"schedule": schedule, "tenant": tenant}).all()
    if not found:
        return None
    counts: dict[str, dict[RunState, int]] = {"occurrences": {}, "others": {}}
    for kind, state, count, _ in found:
        counts[kind][RunState(state)] = count
    return Pruned(until=instant_in(max(row[-1] for row in found)), **counts)


def keep(
    connection: Connection, tenant: str, schedule: str, pruned: Pruned | None
) -> None:
    """Keep what is left of runs that were pruned elsewhere, in place of what is."""
    connection.execute(_FORGET_PRUNED, {"schedule": schedule})
    if pruned is None:
        return
    counted = {"occurrences": pruned.occurrences, "others": pruned.others}
    kept: list[Parameters] = [
        {
            "schedule": schedule,
            "kind": kind,
            "state": state.value,
            "tenant": tenant,
            "count": count,
            "until": instant_out(pruned.until),
        }
        for kind, counts in counted.items()
        for state, count in counts.items()
    ]
    connection.execute_each(_KEEP_PRUNED, kept)


def prunable(
    connection: Connection, *, limit: int, after: Position | None
) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
    """Return schedules that may have something to remove, piece by piece."""
    walked, end = walking.walk(connection, limit=limit, after=after)
    there = connection.execute(_THERE, {"schedules": rows.ids(walked)}).all()
    if not there:
        return (), end
    names = rows.ids(name for name, _ in there)
    living = connection.execute(_ALIVE, {"schedules": names}).all()
    alive = {each.id: each for each in rows.readable(living)}
    # What can't be read back is not deleted, and nobody knows how long it is kept.
    unread = {row[0] for row in living} - alive.keys()
    found = tuple(
        (tenant, name, alive.get(name)) for name, tenant in there if name not in unread
    )
    return found, end
