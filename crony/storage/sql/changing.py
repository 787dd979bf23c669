"""A schedule that is as expected is changed or deleted, with its runs, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from crony.model.lease import Ready
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Reason, RunState
from crony.storage.codec import instant_out, maybe_instant_out
from crony.storage.sql import defining, events, rows
from crony.storage.sql.admission import admit
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import in_hands, same, text
from crony.storage.sql.places import Place
from crony.storage.sql.rows import SCHEDULE_COLUMNS, SCHEDULES
from crony.storage.sql.settling import drop_offers, settle

_CURRENT = text(
    "SELECT occurrences FROM schedules WHERE id = :id AND tenant = :tenant"
    f" AND state <> 'deleted' AND revision = :revision AND {same('cursor', ':cursor')}"
)
_LEASED = text(
    "SELECT id FROM runs WHERE schedule = :schedule"
    f" AND {in_hands()} AND state = 'leased'"
)
_LEASED_AHEAD = text(
    "SELECT id, range_count FROM runs WHERE schedule = :schedule"
    f" AND {in_hands()} AND state = 'leased'"
    " AND origin = 'schedule' AND scheduled_for > :now"
)
_WITHDRAW = text(
    "UPDATE runs SET state = 'withdrawn', reason = NULL, admitted = 0,"
    " changed_at = :now WHERE schedule = :schedule AND state = 'pending'"
    " AND origin = 'schedule' AND scheduled_for > :now RETURNING range_count"
)
_HELD = text(
    f"SELECT id FROM runs WHERE schedule = :schedule AND {in_hands()} ORDER BY id"
)
_STRIKE = text(
    "UPDATE runs SET state = 'cancelled', reason = 'deleted', finished_at = :now,"
    " admitted = 0, changed_at = :now WHERE schedule = :schedule"
    " AND state = 'pending'"
)
_STOP_RUNNING = text(
    "UPDATE runs SET state = 'stopping', reason = 'deleted', changed_at = :now"
    " WHERE schedule = :schedule"
    f" AND {in_hands()} AND state = 'running'"
)
_BURY = text(
    "UPDATE schedules SET state = 'deleted', name = NULL, cursor = NULL WHERE id = :id"
)
_FORGET_PROGRESS = text("DELETE FROM progress WHERE schedule = :id")
_BY_ID = text(f"SELECT {SCHEDULE_COLUMNS} FROM {SCHEDULES} WHERE s.id = :id")


def update(
    connection: Connection,
    schedule: Schedule,
    *,
    limit: int,
    expected: Schedule,
    settled: Sequence[Run],
    now: datetime,
) -> tuple[bool, Ready]:
    """Replace what a schedule is, and withdraw what it has ahead."""
    count = _current(connection, expected)
    if count is None:
        return False, frozenset()
    defining.check(connection, schedule)
    before = stored(connection, schedule.id)
    count += settle(connection, settled, now=now).get(schedule.id, 0)
    withdrawn, left = _withdraw(connection, schedule.id, now=now)
    after = replace(
        schedule,
        tenant=before.tenant,
        created_at=before.created_at,
        occurrences=count - withdrawn,
    )
    defining.replace(connection, before, after, limit=limit, now=now)
    return True, admit(connection, [schedule.id], left=left)


def delete(
    connection: Connection,
    expected: Schedule,
    *,
    settled: Sequence[Run],
    cancel_running: bool,
    now: datetime,
) -> tuple[bool, Sequence[Run], Ready]:
    """Bury a schedule, and end what it has not started."""
    if _current(connection, expected) is None:
        return False, (), frozenset()
    before = stored(connection, expected.id)
    settle(connection, settled, now=now)
    mine = {"schedule": expected.id, "now": instant_out(now)}
    held = connection.execute(_HELD, mine).scalars()
    runs = rows.full_runs(connection, held)
    leased = connection.execute(_LEASED, mine).scalars()
    end = (RunState.CANCELLED, Reason.DELETED)
    left = drop_offers(connection, leased, now=now, state=end[0], reason=end[1])
    connection.execute(_STRIKE, mine)
    if cancel_running:
        connection.execute(_STOP_RUNNING, mine)
    connection.execute(_BURY, {"id": expected.id})
    connection.execute(_FORGET_PROGRESS, {"id": expected.id})
    events.of_schedule(connection, before, ["deleted"], now=now)
    lines = admit(connection, [expected.id], left=left)
    return True, tuple(runs[run] for run in held), lines


def stored(connection: Connection, schedule: str) -> Schedule:
    """Return a schedule as it stands."""
    return rows.schedule(connection.execute(_BY_ID, {"id": schedule}).one())


def _current(connection: Connection, expected: Schedule) -> int | None:
    """Return the stored count of occurrences while all is as expected."""
    asked = {
        "id": expected.id,
        "tenant": expected.tenant,
        "revision": expected.revision,
        "cursor": maybe_instant_out(expected.cursor),
    }
    found = connection.execute(_CURRENT, asked).scalar()
    return None if found is None else int(found)


def _withdraw(
    connection: Connection, schedule: str, *, now: datetime
) -> tuple[int, list[Place]]:
    """Withdraw what is still to come.

    Returns by how much occurrences shrink, and the places that were left.
    """
    asked = {"schedule": schedule, "now": instant_out(now)}
    leased = connection.execute(_LEASED_AHEAD, asked).all()
    left = drop_offers(
        connection, [row[0] for row in leased], now=now, state=RunState.WITHDRAWN
    )
    withdrawn = connection.execute(_WITHDRAW, asked).scalars()
    return sum(withdrawn) + sum(row[1] for row in leased), left
