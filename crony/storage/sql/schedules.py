"""Schedules, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony import errors
from crony.model.lease import Ready
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import ScheduleState
from crony.storage import rules
from crony.storage.codec import (
    definition_in,
    definition_out,
    dumps,
    instant_out,
    maybe_instant_in,
    maybe_instant_out,
    trigger_kind,
)
from crony.storage.contract import (
    Materialisation,
    Page,
    Position,
    ScheduleQuery,
    Schedules,
)
from crony.storage.sql import lanes, listing, rows
from crony.storage.sql.admission import admit
from crony.storage.sql.dialect import each
from crony.storage.sql.engine import Database, Parameters, execute_each
from crony.storage.sql.rows import SCHEDULE_COLUMNS, SCHEDULES
from crony.storage.sql.settling import drop_offers, settle

_ID_USED = text("SELECT 1 FROM schedules WHERE id = :id")
_HOLDER = text(
    "SELECT id FROM schedules WHERE tenant = :tenant AND name = :name AND id <> :id"
)
_COUNT = text(
    "SELECT coalesce(sum(count), 0) FROM tallies WHERE tenant = :tenant"
    " AND queue = '' AND state IN ('active','paused','finished')"
)
_INSERT = text(
    "INSERT INTO schedules (id, tenant, name, revision, state, cursor, occurrences,"
    " max_concurrent, queue, trigger, labels, created_at, updated_at) VALUES (:id,"
    " :tenant, :name, :revision, :state, :cursor, :occurrences, :max_concurrent,"
    " :queue, :trigger, :labels, :created_at, :updated_at)"
)
_UPDATE = text(
    "UPDATE schedules SET name = :name, revision = :revision, state = :state,"
    " cursor = :cursor, occurrences = :occurrences, max_concurrent = :max_concurrent,"
    " queue = :queue, trigger = :trigger, labels = :labels, updated_at = :updated_at"
    " WHERE id = :id"
)
_DEFINE = text(
    "INSERT INTO definitions (schedule, revision, tenant, lane, queue, body)"
    " VALUES (:id, :revision, :tenant, :lane, :queue, :body)"
    " ON CONFLICT (schedule, revision) DO UPDATE SET lane = excluded.lane,"
    " queue = excluded.queue, body = excluded.body"
)
_FIND = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {SCHEDULES} WHERE s.tenant = :tenant"
    " AND s.state <> 'deleted' AND (s.id = :reference OR s.name = :reference)"
)
_DEFINITION = text(
    "SELECT body FROM definitions WHERE schedule = :schedule AND revision = :revision"
)
_CURRENT = text(
    "SELECT occurrences FROM schedules WHERE id = :id AND tenant = :tenant"
    " AND state <> 'deleted' AND revision = :revision AND cursor IS :cursor"
)
_LEASED = text(
    "SELECT id FROM runs WHERE schedule = :schedule"
    " AND state IN ('leased','running','stopping') AND state = 'leased'"
)
_LEASED_AHEAD = text(
    "SELECT id FROM runs WHERE schedule = :schedule"
    " AND state IN ('leased','running','stopping') AND state = 'leased'"
    " AND origin = 'schedule' AND scheduled_for > :now"
)
_WITHDRAW = text(
    "UPDATE runs SET state = 'withdrawn', reason = NULL, admitted = 0"
    " WHERE schedule = :schedule AND state = 'pending' AND origin = 'schedule'"
    " AND scheduled_for > :now RETURNING range_count"
)
_HELD = text(
    "SELECT id FROM runs WHERE schedule = :schedule"
    " AND state IN ('leased','running','stopping') ORDER BY id"
)
_STRIKE = text(
    "UPDATE runs SET state = 'cancelled', reason = 'deleted', finished_at = :now,"
    " admitted = 0 WHERE schedule = :schedule AND state = 'pending'"
)
_STOP_RUNNING = text(
    "UPDATE runs SET state = 'stopping', reason = 'deleted' WHERE schedule = :schedule"
    " AND state IN ('leased','running','stopping') AND state = 'running'"
)
_BURY = text(
    "UPDATE schedules SET state = 'deleted', name = NULL, cursor = NULL WHERE id = :id"
)
_FORGET_PROGRESS = text("DELETE FROM progress WHERE schedule = :id")
_DUE = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {SCHEDULES} WHERE s.state = 'active'"
    " AND s.cursor <= :horizon ORDER BY s.cursor, s.id LIMIT :limit"
)
_EARLIEST = text(
    "SELECT cursor FROM schedules WHERE state = 'active' AND cursor IS NOT NULL"
    " ORDER BY cursor, id LIMIT 1"
)
_WALKED = text("SELECT id FROM schedules WHERE id > :after ORDER BY id LIMIT :limit")
_WALK = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {SCHEDULES} WHERE s.id > :after AND s.id <= :last"
    " AND s.cursor IS NOT NULL ORDER BY s.id"
)
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


class SqlSchedules(Schedules):
    """Schedules in the tables ``schedules`` and ``definitions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, schedule: Schedule, *, limit: int, quota: int | None) -> bool:
        with self._database.writing() as connection:
            if connection.execute(_ID_USED, {"id": schedule.id}).scalar():
                return False
            _check_name(connection, schedule)
            count = connection.execute(_COUNT, {"tenant": schedule.tenant}).scalar_one()
            if quota is not None and count >= quota:
                raise errors.QuotaExceeded(
                    f"the tenant has {quota} schedules, which is all it may have",
                    retry_after=rules.QUOTA_PAUSE,
                )
            _define(connection, schedule)
            values = _values(schedule, limit=limit, occurrences=schedule.occurrences)
            connection.execute(_INSERT, values)
            return True

    def find(self, tenant: str, reference: str) -> Schedule | None:
        with self._database.reading() as connection:
            asked = {"tenant": tenant, "reference": reference}
            row = connection.execute(_FIND, asked).first()
            return None if row is None else rows.schedule(row)

    def page(
        self, tenant: str, query: ScheduleQuery, *, limit: int, after: Position | None
    ) -> Page[Schedule]:
        with self._database.reading() as connection:
            return listing.schedules(
                connection, tenant, query, limit=limit, after=after
            )

    def definition(self, schedule: str, revision: int) -> Definition | None:
        with self._database.reading() as connection:
            asked = {"schedule": schedule, "revision": revision}
            body = connection.execute(_DEFINITION, asked).scalar()
            return None if body is None else definition_in(body)

    def update(
        self,
        schedule: Schedule,
        *,
        limit: int,
        expected: Schedule,
        settled: Sequence[Run],
        now: datetime,
    ) -> tuple[bool, Ready]:
        with self._database.writing() as connection:
            count = _current(connection, expected)
            if count is None:
                return False, frozenset()
            _check_name(connection, schedule)
            count += settle(connection, settled, now=now).get(schedule.id, 0)
            count -= _withdraw(connection, schedule.id, now=now)
            _define(connection, schedule)
            values = _values(schedule, limit=limit, occurrences=count)
            connection.execute(_UPDATE, values)
            return True, admit(connection, [schedule.id])

    def delete(
        self,
        expected: Schedule,
        *,
        settled: Sequence[Run],
        cancel_running: bool,
        now: datetime,
    ) -> tuple[bool, Sequence[Run], Ready]:
        with self._database.writing() as connection:
            if _current(connection, expected) is None:
                return False, (), frozenset()
            settle(connection, settled, now=now)
            mine = {"schedule": expected.id, "now": instant_out(now)}
            held = connection.execute(_HELD, mine).scalars().all()
            before = rows.full_runs(connection, held)
            leased = connection.execute(_LEASED, mine).scalars().all()
            drop_offers(connection, leased, now=now)
            connection.execute(_STRIKE, mine)
            if cancel_running:
                connection.execute(_STOP_RUNNING, mine)
            connection.execute(_BURY, {"id": expected.id})
            connection.execute(_FORGET_PROGRESS, {"id": expected.id})
            return True, tuple(before[run] for run in held), frozenset()

    def due(self, horizon: datetime, *, limit: int) -> Sequence[Schedule]:
        asked = {"horizon": instant_out(horizon), "limit": limit}
        with self._database.reading() as connection:
            found = connection.execute(_DUE, asked).all()
        return tuple(rows.schedule(row) for row in found)

    def earliest(self) -> datetime | None:
        with self._database.reading() as connection:
            return maybe_instant_in(connection.execute(_EARLIEST).scalar())

    def walk(
        self, *, limit: int, after: str | None
    ) -> tuple[Sequence[Schedule], str | None]:
        asked = {"after": after or "", "limit": limit}
        with self._database.snapshot() as connection:
            walked = connection.execute(_WALKED, asked).scalars().all()
            if not walked:
                return (), None
            span = {"after": after or "", "last": walked[-1]}
            found = connection.execute(_WALK, span).all()
        end = walked[-1] if len(walked) == limit else None
        return tuple(rows.schedule(row) for row in found), end

    def materialise(
        self, batch: Sequence[Materialisation], *, now: datetime
    ) -> tuple[Sequence[bool], Ready]:
        with self._database.writing() as connection:
            counted = _counted(connection, batch)
            items = [
                item for item, counts in zip(batch, counted, strict=True) if counts
            ]
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
            execute_each(connection, _MOVE, moves)
            finished = [move for move in moves if move["cursor"] is None]
            execute_each(connection, _FINISH, finished)
            return counted, admit(connection, last.keys())


def _state_at(cursor: datetime | None) -> ScheduleState:
    return ScheduleState.FINISHED if cursor is None else ScheduleState.ACTIVE


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


def _values(schedule: Schedule, *, limit: int, occurrences: int) -> Parameters:
    written = schedule.definition
    return {
        "id": schedule.id,
        "tenant": schedule.tenant,
        "name": written.name,
        "revision": schedule.revision,
        "state": schedule.state.value,
        "cursor": maybe_instant_out(schedule.cursor),
        "occurrences": occurrences,
        "max_concurrent": limit,
        "queue": written.queue,
        "trigger": trigger_kind(written.trigger),
        "labels": dumps(dict(written.labels)),
        "created_at": instant_out(schedule.created_at),
        "updated_at": instant_out(schedule.updated_at),
    }


def _define(connection: Connection, schedule: Schedule) -> None:
    written = schedule.definition
    connection.execute(
        _DEFINE,
        {
            "id": schedule.id,
            "revision": schedule.revision,
            "tenant": schedule.tenant,
            "lane": lanes.of_definition(connection, schedule.tenant, written),
            "queue": written.queue,
            "body": definition_out(written),
        },
    )


def _check_name(connection: Connection, schedule: Schedule) -> None:
    name = schedule.definition.name
    if name is None:
        return
    asked = {"tenant": schedule.tenant, "name": name, "id": schedule.id}
    holder = connection.execute(_HOLDER, asked).scalar()
    if holder is not None:
        raise errors.NameTaken("schedule", name, holder=holder)


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


def _withdraw(connection: Connection, schedule: str, *, now: datetime) -> int:
    """Withdraw what is still to come; return by how much occurrences shrink."""
    asked = {"schedule": schedule, "now": instant_out(now)}
    leased = connection.execute(_LEASED_AHEAD, asked).scalars().all()
    drop_offers(connection, leased, now=now)
    return sum(connection.execute(_WITHDRAW, asked).scalars())
