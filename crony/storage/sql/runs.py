"""Runs, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony import errors
from crony.model import policy
from crony.model.lease import Ready
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.state import AttemptState, RunState
from crony.storage import rules
from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import Page, Position, RunQuery, Runs
from crony.storage.sql import lanes, listing, rows
from crony.storage.sql.admission import admit
from crony.storage.sql.dialect import each
from crony.storage.sql.engine import Database
from crony.storage.sql.settling import drop_offers

_STANDING = text(
    "SELECT schedule, state FROM runs WHERE id = :run AND tenant = :tenant"
)
_EXISTS = text("SELECT 1 FROM runs WHERE id = :run")
_SCHEDULE = text("SELECT 1 FROM schedules WHERE id = :schedule AND state <> 'deleted'")
_PENDING = text(
    "SELECT coalesce(sum(count), 0) FROM tallies WHERE tenant = :tenant"
    " AND queue <> '' AND state = 'pending'"
)
#: The later offers of a schedule whose limit is taken up: as many as that, at most.
_GIVE_WAY = text(
    "SELECT r.start_at, r.id, r.worker FROM runs r WHERE r.schedule = :schedule"
    " AND r.state IN ('leased','running','stopping') AND r.state = 'leased'"
    " AND r.start_at > :after AND (SELECT count(*) FROM runs h"
    " WHERE h.schedule = :schedule AND h.state IN ('leased','running','stopping'))"
    " >= (SELECT s.max_concurrent FROM schedules s WHERE s.id = :schedule)"
)
_CANCEL = text(
    "UPDATE runs SET state = 'cancelled', reason = 'user', finished_at = :now,"
    " admitted = 0 WHERE id = :run"
)
_STOP = text("UPDATE runs SET state = 'stopping', reason = 'user' WHERE id = :run")
_FAULTS = text(
    "SELECT s.value, a.run, a.number, a.state, a.reason, a.finished_at, a.error"
    f" FROM {each('schedules', 's')}, json_each((SELECT json_group_array(place) FROM"
    " (SELECT f.rowid AS place FROM attempts f WHERE f.schedule = s.value"
    " AND f.state IN ('failed','timed_out','lost')"
    " ORDER BY f.finished_at DESC, f.run DESC, f.number DESC LIMIT :limit))) n"
    " JOIN attempts a ON a.rowid = n.value"
    " ORDER BY s.value, a.finished_at DESC, a.run DESC, a.number DESC"
)
_PROGRESS = text(
    f"SELECT p.schedule, p.entry FROM {each('schedules', 's')}"
    " JOIN progress p ON p.schedule = s.value ORDER BY p.schedule, p.number DESC"
)


class SqlRuns(Runs):
    """Runs in the tables ``runs`` and ``attempts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(
        self, run: Run, *, quota: int | None
    ) -> tuple[bool, Ready, frozenset[str]]:
        with self._database.writing() as connection:
            if connection.execute(_EXISTS, {"run": run.id}).scalar():
                return False, frozenset(), frozenset()
            if not connection.execute(_SCHEDULE, {"schedule": run.schedule}).scalar():
                raise errors.NotFound("schedule", run.schedule)
            pending = connection.execute(_PENDING, {"tenant": run.tenant}).scalar_one()
            if quota is not None and pending >= quota:
                raise errors.QuotaExceeded(
                    f"the tenant has {quota} pending runs, which is all it may have",
                    retry_after=rules.QUOTA_PAUSE,
                )
            lane = lanes.of_runs(connection, [run])[run.id]
            now = instant_out(run.created_at)
            values = rows.run_out(run, lane=lane, now=now)
            recalled = _recall_for(connection, run)
            connection.execute(rows.INSERT_RUN, values)
            return True, admit(connection, [run.schedule]), recalled

    def find(self, tenant: str, run: str) -> Run | None:
        with self._database.snapshot() as connection:
            found = rows.full_runs(connection, [run]).get(run)
        return found if found is not None and found.tenant == tenant else None

    def page(
        self, tenant: str, query: RunQuery, *, limit: int, after: Position | None
    ) -> Page[Run]:
        with self._database.reading() as connection:
            return listing.runs(connection, tenant, query, limit=limit, after=after)

    def recent(
        self, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Run]]:
        with self._database.reading() as connection:
            return listing.recent(connection, list(set(schedules)), limit=limit)

    def errors(
        self, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[ErrorEntry]]:
        asked = {"schedules": rows.ids(set(schedules)), "limit": limit}
        found: dict[str, list[ErrorEntry]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(_FAULTS, asked):
                entry = rules.error_entry(
                    row[1],
                    row[2],
                    state=AttemptState(row[3]),
                    reason=rows.reason_in(row[4]),
                    at=instant_in(row[5]),
                    error=row[6],
                )
                found.setdefault(row[0], []).append(entry)
        return found

    def progress(
        self, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Progress]]:
        asked = {"schedules": rows.ids(set(schedules))}
        found: dict[str, list[Progress]] = {}
        with self._database.reading() as connection:
            for schedule, kept in connection.execute(_PROGRESS, asked):
                entry = rows.progress_in(kept)
                entries = found.setdefault(schedule, [])
                if entry is not None and len(entries) < limit:
                    entries.append(entry)
        return found

    def cancel(self, tenant: str, run: str, *, now: datetime) -> tuple[Run, Ready]:
        with self._database.writing() as connection:
            found = connection.execute(
                _STANDING, {"run": run, "tenant": tenant}
            ).first()
            if found is None:
                raise errors.NotFound("run", run)
            _cancel(connection, run, RunState(found.state), now=now)
            ready = admit(connection, [found.schedule])
            return rows.full_runs(connection, [run])[run], ready


def _recall_for(connection: Connection, run: Run) -> frozenset[str]:
    """Take back the offer that gives way to a new run; return its worker."""
    after = instant_out(run.available_at + policy.CONFIRM_AHEAD)
    asked = {"schedule": run.schedule, "after": after}
    later = connection.execute(_GIVE_WAY, asked).all()
    if not later:
        return frozenset()
    _, last, worker = max(tuple(row) for row in later)
    drop_offers(connection, [last], now=run.created_at)
    return frozenset({worker})


def _cancel(
    connection: Connection, run: str, state: RunState, *, now: datetime
) -> None:
    match state:
        case RunState.STOPPING:
            pass
        case RunState.RUNNING:
            connection.execute(_STOP, {"run": run})
        case RunState.PENDING | RunState.LEASED:
            if state is RunState.LEASED:
                drop_offers(connection, [run], now=now)
            connection.execute(_CANCEL, {"run": run, "now": instant_out(now)})
        case _:
            raise errors.RunOver(run, state.value)
