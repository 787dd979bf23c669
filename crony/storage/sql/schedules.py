"""Schedules, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from crony import errors
from crony.model.lease import Ready
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule, Version
from crony.model.state import Reason, RunState, ScheduleState
from crony.storage.codec import (
    definition_in,
    instant_out,
    maybe_instant_in,
    maybe_instant_out,
)
from crony.storage.contract import (
    Creation,
    Materialisation,
    Page,
    Position,
    ScheduleQuery,
    Schedules,
)
from crony.storage.sql import (
    creating,
    defining,
    events,
    limiting,
    listing,
    rows,
    walking,
)
from crony.storage.sql.admission import admit
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, in_hands, same, text
from crony.storage.sql.engine import Database
from crony.storage.sql.gathering import Gathering
from crony.storage.sql.noun import Noun
from crony.storage.sql.places import Place
from crony.storage.sql.rows import SCHEDULE_COLUMNS, SCHEDULES
from crony.storage.sql.settling import drop_offers, settle

_FIND = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM (SELECT :reference AS id"
    " UNION ALL SELECT n.id FROM schedules n"
    " WHERE n.tenant = :tenant AND n.name = :reference) named"
    f" CROSS JOIN {SCHEDULES} WHERE s.id = named.id AND s.tenant = :tenant"
    " AND s.state <> 'deleted'"
)
_OF_NAMES = text(
    f"SELECT {SCHEDULE_COLUMNS}, s.name FROM {each('names', 'j')}"
    f" CROSS JOIN {SCHEDULES} WHERE s.tenant = :tenant AND s.name = j.value"
    " AND s.state <> 'deleted'"
)
_DEFINITION = text(
    "SELECT body FROM definitions WHERE schedule = :schedule AND revision = :revision"
    " AND tenant = :tenant"
)
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
_DUE = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {SCHEDULES} WHERE s.state = 'active'"
    " AND s.tenant_held = 0 AND s.cursor <= :horizon"
    " ORDER BY s.cursor, s.id LIMIT :limit"
)
_EARLIEST = text(
    "SELECT cursor FROM schedules WHERE state = 'active' AND tenant_held = 0"
    " AND cursor IS NOT NULL ORDER BY cursor, id LIMIT 1"
)
_WALK = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {each('schedules', 'j')}"
    f" CROSS JOIN {SCHEDULES} WHERE s.id = j.value AND s.cursor IS NOT NULL"
    " ORDER BY s.tenant, s.id"
)
_IN_GROUP = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {SCHEDULES} WHERE s.tenant = :tenant"
    " AND s.group_name = :group AND s.held = :held AND s.state <> 'deleted'"
    " ORDER BY s.id LIMIT :limit"
)
#: What is ahead is due in seconds: it is few.
_AHEAD = text(
    "SELECT DISTINCT r.schedule FROM runs r WHERE r.tenant = :tenant"
    " AND r.state IN ('pending','leased') AND r.scheduled_for > :now"
    " AND r.origin = 'schedule' AND r.schedule > :after"
)
_UNFINISHED = text(
    "SELECT DISTINCT r.schedule FROM runs r JOIN schedules s ON s.id = r.schedule"
    " WHERE r.tenant = :tenant AND r.state IN ('pending','leased','running','stopping')"
    " AND r.origin <> 'hook' AND r.schedule > :after AND s.state <> 'deleted'"
)
_NAMED = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {each('schedules', 'j')}"
    f" CROSS JOIN {SCHEDULES} WHERE s.id = j.value ORDER BY s.id"
)
_STANDING = text(
    "SELECT s.id, s.tenant, s.state, s.revision, s.cursor"
    f" FROM {each('schedules', 'j')} JOIN schedules s ON s.id = j.value"
)
_MOVE = text(
    "UPDATE schedules SET cursor = :cursor, occurrences = occurrences + :grown"
    " WHERE id = :id"
)
_BY_ID = text(f"SELECT {SCHEDULE_COLUMNS} FROM {SCHEDULES} WHERE s.id = :id")
#: Apart, since an UPDATE that names the state touches each index that asks for it.
_FINISH = text("UPDATE schedules SET state = 'finished' WHERE id = :id")


#: So many that are created at once, each by itself, share a commit.
_GATHERED = 100

#: A new schedule, and the tenant's quota of them.
_Asked = tuple[Creation, int | None]


class SqlSchedules(Noun, Schedules):
    """Schedules in the tables ``schedules`` and ``definitions``."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._creating = Gathering(self._create, most=_GATHERED)

    def create(self, schedule: Schedule, *, limit: int, quota: int | None) -> bool:
        among = "" if self._database.one_writer else schedule.tenant
        asked = (Creation(schedule, limit), quota)
        result = self._creating(asked, among=among)
        if isinstance(result, errors.CronyError):
            raise result
        return result

    def create_all(
        self, batch: Sequence[Creation], *, quota: int | None
    ) -> Sequence[bool | errors.CronyError]:
        return self._create([(item, quota) for item in batch])

    def _create(self, asked: Sequence[_Asked]) -> Sequence[bool | errors.CronyError]:
        batch = [item for item, _ in asked]
        tenants = {item.schedule.tenant for item in batch}
        with self._database.writing(*tenants) as connection:
            return creating.create_all(connection, batch, [quota for _, quota in asked])

    def find(self, tenant: str, reference: str) -> Schedule | None:
        with self._database.reading() as connection:
            asked = {"tenant": tenant, "reference": reference}
            row = connection.execute(_FIND, asked).first()
            return None if row is None else rows.schedule(row)

    def named(self, tenant: str, names: Collection[str]) -> Mapping[str, Schedule]:
        asked = {"tenant": tenant, "names": rows.ids(names)}
        with self._database.reading() as connection:
            found = connection.execute(_OF_NAMES, asked).all()
        return {row[-1]: rows.schedule(row) for row in found}

    def page(
        self, tenant: str, query: ScheduleQuery, *, limit: int, after: Position | None
    ) -> Page[Schedule]:
        with self._database.reading() as connection:
            return listing.schedules(
                connection, tenant, query, limit=limit, after=after
            )

    def definition(
        self, tenant: str, schedule: str, revision: int
    ) -> Definition | None:
        asked = {"tenant": tenant, "schedule": schedule, "revision": revision}
        with self._database.reading() as connection:
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
        with self._database.writing(expected.tenant) as connection:
            count = _current(connection, expected)
            if count is None:
                return False, frozenset()
            defining.check(connection, schedule)
            before = _stored(connection, schedule.id)
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

    def versions(
        self, tenant: str, schedule: str, *, until: datetime | None, limit: int
    ) -> Sequence[Version]:
        with self._database.reading() as connection:
            return defining.versions(
                connection, tenant, schedule, until=until, limit=limit
            )

    def in_group(
        self, tenant: str, group: str, *, held: bool, limit: int
    ) -> Sequence[Schedule]:
        asked = {"tenant": tenant, "group": group, "held": int(held), "limit": limit}
        with self._database.reading() as connection:
            found = connection.execute(_IN_GROUP, asked).all()
        return tuple(rows.readable(found))

    def ahead(
        self, tenant: str, *, now: datetime, limit: int, after: str | None
    ) -> Sequence[str]:
        asked = {"tenant": tenant, "now": instant_out(now), "after": after or ""}
        with self._database.reading() as connection:
            found = connection.execute(_AHEAD, asked).scalars()
        return tuple(sorted(found)[:limit])

    def unfinished(
        self, tenant: str, *, limit: int, after: str | None
    ) -> Sequence[Schedule]:
        asked = {"tenant": tenant, "after": after or ""}
        with self._database.snapshot() as connection:
            names = sorted(connection.execute(_UNFINISHED, asked).scalars())[:limit]
            named = {"schedules": rows.ids(names)}
            found = connection.execute(_NAMED, named).all()
        return tuple(rows.readable(found))

    def limit(self, batch: Sequence[Creation]) -> Ready:
        # Most often all have theirs, and then no lock is taken.
        with self._database.reading() as connection:
            others = limiting.others(connection, batch)
        wanted = [item for item in batch if item.schedule.id in others]
        if not wanted:
            return frozenset()
        tenants = {item.schedule.tenant for item in wanted}
        with self._database.writing(*tenants) as connection:
            changed = limiting.others(connection, wanted)
            limiting.write(connection, changed)
            return admit(connection, changed.keys())

    def delete(
        self,
        expected: Schedule,
        *,
        settled: Sequence[Run],
        cancel_running: bool,
        now: datetime,
    ) -> tuple[bool, Sequence[Run], Ready]:
        with self._database.writing(expected.tenant) as connection:
            if _current(connection, expected) is None:
                return False, (), frozenset()
            before = _stored(connection, expected.id)
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

    def due(self, horizon: datetime, *, limit: int) -> Sequence[Schedule]:
        asked = {"horizon": instant_out(horizon), "limit": limit}
        with self._database.reading() as connection:
            found = connection.execute(_DUE, asked).all()
        return tuple(rows.readable(found))

    def earliest(self) -> datetime | None:
        with self._database.reading() as connection:
            return maybe_instant_in(connection.execute(_EARLIEST).scalar())

    def walk(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[Schedule], Position | None]:
        with self._database.snapshot() as connection:
            walked, end = walking.walk(connection, limit=limit, after=after)
            found = connection.execute(_WALK, {"schedules": rows.ids(walked)}).all()
        return tuple(rows.readable(found)), end

    def materialise(
        self, batch: Sequence[Materialisation], *, now: datetime
    ) -> tuple[Sequence[bool], Ready]:
        with self._database.writing(*{item.tenant for item in batch}) as connection:
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
            connection.execute_each(_MOVE, moves)
            _finish(connection, [m["id"] for m in moves if m["cursor"] is None], now)
            # The newest limit that an item of it gives.
            limits = {i.schedule: i.limit for i in items if i.limit is not None}
            limiting.change(connection, limits)
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


def _finish(connection: Connection, schedules: Sequence[str], now: datetime) -> None:
    """Finish schedules that will not be due again."""
    for name in schedules:
        connection.execute(_FINISH, {"id": name})
        schedule = _stored(connection, name)
        events.of_schedule(connection, schedule, ["finished"], now=now)


def _stored(connection: Connection, schedule: str) -> Schedule:
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
