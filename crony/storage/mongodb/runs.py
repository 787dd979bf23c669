"""Runs, in MongoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from crony import errors
from crony.model.hook import FollowUp
from crony.model.lease import Ready
from crony.model.moving import Pruned
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.schedule import Schedule
from crony.model.state import EXECUTING, Origin, Reason, RunState
from crony.storage import rules
from crony.storage.codec import instant_out, kept
from crony.storage.contract import Live, Page, Position, RunQuery, Runs
from crony.storage.documents import document_in
from crony.storage.mongodb import (
    faulting,
    kinds,
    listing,
    outputs,
    pruning,
    records,
    tallies,
    telling,
)
from crony.storage.mongodb.admission import changing
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import end_unstarted, name_of, stop
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.recalling import recall_for
from crony.storage.mongodb.work import Work


class MongoRuns(Runs):
    """Runs as documents, with their attempts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def insert(
        self, run: Run, *, quota: int | None
    ) -> tuple[bool, Ready, frozenset[str]]:
        def insert(book: Book) -> tuple[bool, frozenset[str]]:
            if book.run(run.id) is not None:
                return False, frozenset()
            _check(book, [run], quota=quota)
            recalled = recall_for(book, run)
            book.put(replace(kept(run), attempts=()), now=run.created_at)
            return True, recalled

        (new, recalled), ready = changing(self._engine, run.tenant, insert)
        return new, ready, recalled

    def backfill(self, runs: Sequence[Run], *, quota: int | None) -> tuple[int, Ready]:
        if not runs:
            return 0, frozenset()

        def backfill(book: Book) -> int:
            book.load(run.id for run in runs)
            new = {run.id: run for run in runs if book.run(run.id) is None}
            _check(book, list(new.values()), quota=quota)
            for run in new.values():
                book.put(replace(kept(run), attempts=()), now=run.created_at)
            return len(new)

        return changing(self._engine, runs[0].tenant, backfill)

    def standing_at(self, tenant: str, schedule: str, instant: datetime) -> Run | None:
        found = self._engine.glance(tenant).find(
            kinds.RUNS,
            {
                "schedule": schedule,
                "shown_for": {"$lte": instant_out(instant)},
                "origin": Origin.SCHEDULE.value,
            },
            sort=[("shown_for", -1), ("id", -1)],
            limit=1,
            fields=records.SUMMARY,
            index="shown",
        )
        return records.summary_in(found[0]) if found else None

    def follow_ups(self, *, limit: int) -> Sequence[FollowUp]:
        members = ("at", "run", "attempt", "kind", "number")
        found = self._engine.everywhere(
            kinds.FOLLOW_UPS,
            {"at": {"$exists": True}},
            sort=[(member, 1) for member in members],
            limit=limit,
        )
        return tuple(document_in(FollowUp, document) for document in found)

    def followed(self, items: Sequence[FollowUp]) -> None:
        for tenant in dict.fromkeys(item.tenant for item in items):
            names = [name_of(item) for item in items if item.tenant == tenant]

            def followed(work: Work, names: Sequence[str] = names) -> None:
                for name in work.get_all(kinds.FOLLOW_UPS, names):
                    work.delete(kinds.FOLLOW_UPS, name)

            self._engine.verb(tenant, followed)

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
        return pruning.prune(self._engine, tenant, schedule, bounds, limit=limit)

    def pruned(self, tenant: str, schedule: str) -> Pruned | None:
        return pruning.pruned(self._engine.glance(tenant), schedule)

    def prunable(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
        return pruning.prunable(self._engine, limit=limit, after=after)

    def find(self, tenant: str, run: str) -> Run | None:
        def find(work: Work) -> Run | None:
            found = Book(work).run(run)
            return None if found is None else outputs.full(work, found)

        return self._engine.read(tenant, find)

    def page(
        self, tenant: str, query: RunQuery, *, limit: int, after: Position | None
    ) -> Page[Run]:
        work = self._engine.glance(tenant)
        return listing.runs(work, query, limit=limit, after=after)

    def recent(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Run]]:
        return listing.recent(self._engine.glance(tenant), schedules, limit=limit)

    def errors(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[ErrorEntry]]:
        names = list(dict.fromkeys(schedules))
        return faulting.newest(self._engine.glance(tenant), names, limit=limit)

    def progress(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Progress]]:
        return telling.newest(self._engine.glance(tenant), schedules, limit=limit)

    def live(
        self, tenant: str, schedules: Sequence[str], *, runs: int, entries: int
    ) -> Mapping[str, Live]:
        return rules.live(self, tenant, schedules, runs=runs, entries=entries)

    def cancel(self, tenant: str, run: str, *, now: datetime) -> tuple[Run, Ready]:
        def cancel(book: Book) -> Run:
            found = book.run(run)
            if found is None:
                raise errors.NotFound("run", run)
            if found.over or found.state is RunState.WITHDRAWN:
                raise errors.RunOver(run, found.state.value)
            if found.state not in EXECUTING:
                end_unstarted(book, found, RunState.CANCELLED, Reason.USER, now=now)
            elif not rules.stops_for_good(found.state, found.reason):
                stop(book, found, Reason.USER, now=now)
            return outputs.full(book.work, book.run(run) or found)

        return changing(self._engine, tenant, cancel)


def _check(book: Book, new: Sequence[Run], *, quota: int | None) -> None:
    """Refuse new runs of a schedule that is gone, or more than a tenant may have."""
    for schedule in dict.fromkeys(run.schedule for run in new):
        if book.schedules.get(schedule) is None:
            raise errors.NotFound("schedule", schedule)
    pending = tallies.pending(book.work)
    if new and quota is not None and pending + len(new) > quota:
        raise errors.QuotaExceeded(
            f"the tenant has {pending} pending runs, and may have {quota}: "
            f"there is no room for {len(new)} more",
            retry_after=rules.QUOTA_PAUSE,
        )
