"""Runs, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from crony import errors
from crony.model.hook import FollowUp
from crony.model.lease import Ready
from crony.model.moving import Pruned
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.schedule import Schedule
from crony.model.state import EXECUTING, UNCONFIRMED, Reason, RunState
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.contract import Live, Page, Position, RunQuery, Runs
from crony.storage.sql import hooks, listing, pruning, recalling, rows, showing
from crony.storage.sql.admission import admit
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import (
    text,
    total,
)
from crony.storage.sql.ending import CHANGED, Changed, end_unstarted, stop
from crony.storage.sql.noun import Noun
from crony.storage.sql.places import Place
from crony.storage.sql.rows import SUMMARY_COLUMNS_OF_R
from crony.storage.sql.settling import insert, standing

_EXISTS = text("SELECT 1 FROM runs WHERE id = :run")
_SCHEDULE = text("SELECT 1 FROM schedules WHERE id = :schedule AND state <> 'deleted'")
#: Of origin ``schedule``: a hook's run stands beside the occurrence it follows.
_STANDING_AT = text(
    f"SELECT {SUMMARY_COLUMNS_OF_R} FROM runs r WHERE r.schedule = :schedule"
    " AND r.scheduled_for <= :instant AND r.origin = 'schedule'"
    " AND r.state <> 'withdrawn' ORDER BY r.scheduled_for DESC, r.id DESC LIMIT 1"
)
_PENDING = text(
    f"SELECT {total('count')} FROM tallies WHERE tenant = :tenant"
    " AND queue <> '' AND state = 'pending'"
)
_FIND = text(f"SELECT {CHANGED} FROM runs r WHERE r.id = :run AND r.tenant = :tenant")


class SqlRuns(Noun, Runs):
    """Runs in the tables ``runs`` and ``attempts``."""

    def insert(
        self, run: Run, *, quota: int | None
    ) -> tuple[bool, Ready, frozenset[str]]:
        with self._database.writing(run.tenant) as connection:
            if connection.execute(_EXISTS, {"run": run.id}).scalar():
                return False, frozenset(), frozenset()
            _check(connection, [run], quota=quota)
            recalled = recalling.recall_for(connection, run)
            insert(connection, [run])
            touched = {run.schedule} | recalled.schedules
            ready = admit(connection, touched, left=recalled.left)
            return True, ready, frozenset(recalled.workers)

    def backfill(self, runs: Sequence[Run], *, quota: int | None) -> tuple[int, Ready]:
        with self._database.writing(*{run.tenant for run in runs}) as connection:
            there = standing(connection, (run.id for run in runs))
            new = {run.id: run for run in runs if run.id not in there}
            _check(connection, list(new.values()), quota=quota)
            insert(connection, new.values())
            schedules = {run.schedule for run in new.values()}
            return len(new), admit(connection, schedules)

    def standing_at(self, tenant: str, schedule: str, instant: datetime) -> Run | None:
        asked = {"schedule": schedule, "instant": instant_out(instant)}
        with self._database.reading() as connection:
            row = connection.execute(_STANDING_AT, asked).first()
        found = None if row is None else rows.run(row)
        return found if found is not None and found.tenant == tenant else None

    def follow_ups(self, *, limit: int) -> Sequence[FollowUp]:
        with self._database.reading() as connection:
            return hooks.follow_ups(connection, limit=limit)

    def followed(self, items: Sequence[FollowUp]) -> None:
        if items:
            with self._database.writing() as connection:
                hooks.followed(connection, items)

    def prune(
        self,
        tenant: str,
        schedule: str,
        *,
        keep: int,
        before: datetime,
        now: datetime,
        limit: int,
    ) -> int:
        bounds = pruning.Bounds(keep, instant_out(before), instant_out(now))
        # Most often there is nothing, and then no lock is taken.
        with self._database.snapshot() as connection:
            if not pruning.wanted(connection, tenant, schedule, bounds):
                return 0
        with self._database.writing(tenant) as connection:
            return pruning.prune(connection, schedule, bounds, limit=limit)

    def pruned(self, tenant: str, schedule: str) -> Pruned | None:
        with self._database.reading() as connection:
            return pruning.pruned(connection, tenant, schedule)

    def prunable(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
        with self._database.snapshot() as connection:
            return pruning.prunable(connection, limit=limit, after=after)

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
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Run]]:
        with self._database.reading() as connection:
            return listing.recent(connection, tenant, set(schedules), limit=limit)

    def errors(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[ErrorEntry]]:
        with self._database.reading() as connection:
            return showing.errors(connection, tenant, set(schedules), limit=limit)

    def progress(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Progress]]:
        with self._database.reading() as connection:
            return showing.progress(connection, tenant, set(schedules), limit=limit)

    def live(
        self, tenant: str, schedules: Sequence[str], *, runs: int, entries: int
    ) -> Mapping[str, Live]:
        with self._database.reading() as connection:
            return showing.live(
                connection, tenant, schedules, runs=runs, entries=entries
            )

    def cancel(self, tenant: str, run: str, *, now: datetime) -> tuple[Run, Ready]:
        with self._database.writing(tenant) as connection:
            row = connection.execute(_FIND, {"run": run, "tenant": tenant}).first()
            if row is None:
                raise errors.NotFound("run", run)
            found = Changed.of(row)
            left: list[Place] = []
            if found.state in UNCONFIRMED:
                end = (RunState.CANCELLED, Reason.USER)
                _, left = end_unstarted(connection, [found], *end, now=now)
            elif found.state not in EXECUTING:
                raise errors.RunOver(run, found.state.value)
            elif not rules.stops_for_good(found.state, found.reason):
                stop(connection, [found], Reason.USER, now=now)
            ready = admit(connection, [found.schedule], left=left)
            return rows.full_runs(connection, [run])[run], ready


def _check(connection: Connection, new: Sequence[Run], *, quota: int | None) -> None:
    """Refuse new runs of a schedule that is gone, or more than a tenant may have."""
    for schedule in {run.schedule for run in new}:
        if not connection.execute(_SCHEDULE, {"schedule": schedule}).scalar():
            raise errors.NotFound("schedule", schedule)
    for tenant in {run.tenant for run in new}:
        pending = connection.execute(_PENDING, {"tenant": tenant}).scalar_one()
        if quota is not None and pending + len(new) > quota:
            raise errors.QuotaExceeded(
                f"the tenant has {pending} pending runs, and may have {quota}: "
                f"there is no room for {len(new)} more",
                retry_after=rules.QUOTA_PAUSE,
            )
