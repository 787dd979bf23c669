"""Events, in SQL.

Those of runs are left by the database itself (``dialect.EVENT_TRIGGERS``), those of
progress, schedules and workers by the verbs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from crony.model.event import Event
from crony.model.schedule import Schedule
from crony.model.worker import Worker
from crony.storage import changes
from crony.storage.codec import dumps, instant_in, instant_out, object_in
from crony.storage.contract import Events
from crony.storage.sql import dialect, rows
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, place_in, text
from crony.storage.sql.noun import Noun
from crony.storage.sql.rows import SUMMARY_COLUMNS_OF_E, Columns

_MEMBERS = ", ".join(dialect.EVENT_MEMBERS)
_PROGRESS = text(
    f"INSERT INTO events (type, at, subject, {_MEMBERS})"
    f" SELECT 'run.progress', :at, id, {_MEMBERS} FROM runs WHERE id = :run"
)
_NOTE = text(
    "INSERT INTO events (type, at, subject, tenant, schedule, data)"
    " VALUES (:type, :at, :subject, :tenant, :schedule, :told)"
)
#: As a range of the tenant's index, and of no other: in the order of their sequence
#: alone they would come from among those of all tenants.
_PAGE = (
    "SELECT e.sequence, e.type, e.at, e.data, e.subject, e.tenant, e.schedule,"
    f" {SUMMARY_COLUMNS_OF_E} FROM events e"
    " WHERE (e.tenant, e.sequence) > (:tenant, :after) AND e.tenant <= :tenant"
    "{conditions} ORDER BY e.tenant, e.sequence LIMIT :limit"
)
_OF_SCHEDULE = " AND e.schedule = :schedule"
_OF_TYPES = (
    f" AND EXISTS (SELECT 1 FROM {each('types', 'j')} WHERE j.value = e.type"
    f" OR j.value = substr(e.type, 1, {place_in('e.type', repr('.'))}) || '*')"
)
_BOUNDS = text(
    "SELECT coalesce((SELECT sequence FROM events_pruned WHERE tenant = :tenant), 0),"
    " coalesce((SELECT sequence FROM events"
    " WHERE tenant >= :tenant AND tenant <= :tenant"
    " ORDER BY tenant DESC, sequence DESC LIMIT 1), 0)"
)
_OLDEST = text(
    "SELECT sequence, at FROM events WHERE sequence > 0 ORDER BY sequence LIMIT :limit"
)
_PRUNED = text(
    "INSERT INTO events_pruned (tenant, sequence) SELECT tenant, max(sequence)"
    " FROM events WHERE sequence <= :last AND at < :before GROUP BY tenant"
    " ON CONFLICT (tenant) DO UPDATE SET sequence = excluded.sequence"
)
_PRUNE = text("DELETE FROM events WHERE sequence <= :last AND at < :before")


class SqlEvents(Noun, Events):
    """Events in a table of their own, numbered as they come."""

    def page(
        self,
        tenant: str,
        *,
        after: int,
        limit: int,
        types: frozenset[str] = frozenset(),
        schedule: str | None = None,
    ) -> Sequence[Event]:
        conditions = ""
        if types:
            conditions += _OF_TYPES
        if schedule is not None:
            conditions += _OF_SCHEDULE
        asked = {
            "tenant": tenant,
            "after": after,
            "types": json.dumps(sorted(types)),
            "schedule": schedule,
            "limit": limit,
        }
        statement = text(_PAGE.format(conditions=conditions))
        with self._database.reading() as connection:
            found = connection.execute(statement, statement.taking(asked)).all()
        return tuple(_event(row) for row in found)

    def bounds(self, tenant: str) -> tuple[int, int]:
        with self._database.reading() as connection:
            pruned, newest = connection.execute(_BOUNDS, {"tenant": tenant}).one()
        return pruned, newest

    def prune(self, *, before: datetime, limit: int) -> int:
        # Most often there is nothing, and then no lock is taken.
        with self._database.reading() as connection:
            if not _old(connection, before, limit=1):
                return 0
        with self._database.writing("/events") as connection:
            old = _old(connection, before, limit=limit)
            if old:
                gone = {"last": old[-1], "before": instant_out(before)}
                connection.execute(_PRUNED, gone)
                connection.execute(_PRUNE, gone)
            return len(old)


def of_progress(connection: Connection, run: str, *, now: int) -> None:
    """Tell of a run that it has come further."""
    connection.execute(_PROGRESS, {"run": run, "at": now})


def of_schedule(
    connection: Connection, schedule: Schedule, words: Sequence[str], *, now: datetime
) -> None:
    """Tell what happened to a schedule, in order."""
    for word in words:
        connection.execute(_NOTE, _told(schedule, word, now=now))


def of_new_schedules(connection: Connection, schedules: Sequence[Schedule]) -> None:
    """Tell of schedules that they were created, in order."""
    told = [_told(each, "created", now=each.created_at) for each in schedules]
    connection.execute_each(_NOTE, told)


def _told(schedule: Schedule, word: str, *, now: datetime) -> Parameters:
    return {
        "type": f"schedule.{word}",
        "at": instant_out(now),
        "subject": schedule.id,
        "tenant": schedule.tenant,
        "schedule": schedule.id,
        "told": dumps(changes.schedule_data(schedule)),
    }


def of_worker(
    connection: Connection, worker: Worker, word: str, *, now: datetime
) -> None:
    """Tell what happened to a worker."""
    connection.execute(
        _NOTE,
        {
            "type": f"worker.{word}",
            "at": instant_out(now),
            "subject": worker.id,
            "tenant": worker.tenant,
            "schedule": None,
            "told": dumps(changes.worker_data(worker, word)),
        },
    )


def event_out(event: Event) -> str:
    """Return an event as JSON text."""
    return dumps(
        [
            event.sequence,
            event.tenant,
            event.type,
            event.subject,
            event.schedule,
            instant_out(event.at),
            None if event.run is None else rows.summary_out(event.run),
            event.data,
        ]
    )


def event_in(kept: str) -> Event:
    """Return the event of ``event_out``'s text."""
    sequence, tenant, kind, subject, schedule, at, run, data = json.loads(kept)
    return Event(
        sequence=sequence,
        tenant=tenant,
        type=kind,
        subject=subject,
        schedule=schedule,
        at=instant_in(at),
        run=None if run is None else rows.run(run),
        data=data,
    )


def _old(connection: Connection, before: datetime, *, limit: int) -> list[int]:
    """Return the oldest events, up to the first that is not older than that.

    Instants hardly ever go back; an event behind a newer one waits for it, so that
    what is left has no holes.
    """
    end = instant_out(before)
    old = []
    for sequence, at in connection.execute(_OLDEST, {"limit": limit}):
        if at >= end:
            break
        old.append(sequence)
    return old


def _event(row: Columns) -> Event:
    return Event(
        sequence=row[0],
        tenant=row[5],
        type=row[1],
        subject=row[4],
        schedule=row[6],
        at=instant_in(row[2]),
        run=rows.run(row[7:]) if row[1].startswith("run.") else None,
        data=object_in(row[3]),
    )
