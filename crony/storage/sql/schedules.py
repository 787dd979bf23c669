"""Schedules, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from crony import errors
from crony.model.lease import Ready
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule, Version
from crony.storage.codec import (
    definition_in,
    instant_out,
    maybe_instant_in,
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
    changing,
    creating,
    defining,
    limiting,
    listing,
    materialising,
    rows,
    walking,
)
from crony.storage.sql.admission import admit
from crony.storage.sql.dialect import each, text
from crony.storage.sql.engine import Database
from crony.storage.sql.gathering import Gathering
from crony.storage.sql.noun import Noun
from crony.storage.sql.rows import SCHEDULE_COLUMNS, SCHEDULES

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
        with self._database.snapshot() as connection:
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
            return changing.update(
                connection,
                schedule,
                limit=limit,
                expected=expected,
                settled=settled,
                now=now,
            )

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
            found = listing.named(connection, names)
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
            return changing.delete(
                connection,
                expected,
                settled=settled,
                cancel_running=cancel_running,
                now=now,
            )

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
            return materialising.materialise(connection, batch, now=now)
