"""What comes due becomes runs, and cursors go on, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crony.model.lease import Ready
from crony.model.state import ScheduleState
from crony.storage.codec import instant_out, maybe_instant_out
from crony.storage.contract import Materialisation
from crony.storage.sql import events, limiting, rows
from crony.storage.sql.admission import admit
from crony.storage.sql.changing import stored
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, text
from crony.storage.sql.settling import settle

_STANDING = text(
    "SELECT s.id, s.tenant, s.state, s.revision, s.cursor"
    f" FROM {each('schedules', 'j')} JOIN schedules s ON s.id = j.value"
)
_MOVE = text(
    "UPDATE schedules SET cursor = :cursor, occurrences = occurrences + :grown"
    " WHERE id = :id"
)
#: Apart, since an UPDATE that names the state touches each index that asks for it.
_FINISH = text("UPDATE schedules SET state = 'finished' WHERE id = :id")


def materialise(
    connection: Connection, batch: Sequence[Materialisation], *, now: datetime
) -> tuple[Sequence[bool], Ready]:
    """Insert the runs of the items that count, and say which those are."""
    counted = _counted(connection, batch)
    items = [item for item, counts in zip(batch, counted, strict=True) if counts]
    runs = [run for item in items for run in item.runs]
    grown = dict(settle(connection, runs, now=now))
    # The last item of a schedule says where its cursor is.
    last = {item.schedule: item for item in items}
    moves: list[Parameters] = [
        {
            "id": name,
            "cursor": maybe_instant_out(item.next_cursor),
            "grown": grown.get(name, 0),
        }
        for name, item in last.items()
    ]
    connection.execute_each(_MOVE, moves)
    _finish(connection, [m["id"] for m in moves if m["cursor"] is None], now)
    # The newest limit that an item of it gives.
    limits = {i.schedule: i.limit for i in items if i.limit is not None}
    limiting.change(connection, limits)
    return counted, admit(connection, last.keys())


def _counted(
    connection: Connection, batch: Sequence[Materialisation]
) -> tuple[bool, ...]:
    """Return which items count, one after the other."""
    asked = {"schedules": rows.ids({item.schedule for item in batch})}
    found = connection.execute(_STANDING, asked).all()
    standing = {row[0]: tuple(row[1:]) for row in found}
    counted = []
    for item in batch:
        active = ScheduleState.ACTIVE.value
        needed = (item.tenant, active, item.revision, instant_out(item.cursor))
        counts = standing.get(item.schedule) == needed
        if counts:
            standing[item.schedule] = (
                item.tenant,
                _state_at(item.next_cursor).value,
                item.revision,
                maybe_instant_out(item.next_cursor),
            )
        counted.append(counts)
    return tuple(counted)


def _state_at(cursor: datetime | None) -> ScheduleState:
    return ScheduleState.FINISHED if cursor is None else ScheduleState.ACTIVE


def _finish(connection: Connection, schedules: Sequence[str], now: datetime) -> None:
    """Finish schedules that will not be due again."""
    for name in schedules:
        connection.execute(_FINISH, {"id": name})
        schedule = stored(connection, name)
        events.of_schedule(connection, schedule, ["finished"], now=now)
