"""Leases, in MongoDB: handing out, confirming, renewing, reporting, taking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crony.model.lease import (
    Change,
    Closed,
    Closing,
    Confirmed,
    Holding,
    Loss,
    Offer,
    Ready,
    Renewed,
    Revoked,
    Scope,
    Standing,
)
from crony.model.run import Progress, Run
from crony.model.schedule import Definition
from crony.model.state import RunState
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import cut, kept
from crony.storage.contract import Leases
from crony.storage.mongodb import (
    kinds,
    overdue,
    preempting,
    recalling,
    telling,
    workers,
)
from crony.storage.mongodb.admission import changing
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.closing import close
from crony.storage.mongodb.confirming import confirm, prolonged
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.offering import offers
from crony.storage.mongodb.records import Lease, Record
from crony.storage.mongodb.work import Work


class MongoLeases(Leases):
    """Leases as part of the documents of runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self, tenant: str, worker: str, *, session: str, sequence: int, now: datetime
    ) -> Worker:
        def begin(work: Work) -> Worker:
            found = workers.require(work, worker)
            name = f"{worker}/{session}"
            rules.check_begin(
                found,
                session=session,
                sequence=sequence,
                replaced=work.get(kinds.SESSIONS, name) is not None,
            )
            if found.session is not None and found.session != session:
                _replace_session(work, found)
            begun = replace(found, session=session, sequence=sequence)
            return workers.see(work, begun, now=now)

        return self._engine.verb(tenant, begin)

    def renew(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        holding: Sequence[Holding],
        now: datetime,
        lease_ttl: timedelta,
    ) -> tuple[Sequence[Renewed], Sequence[Revoked]]:
        def renew(work: Work) -> tuple[Sequence[Renewed], Sequence[Revoked]]:
            found = workers.require(work, worker)
            rules.check_stored(found, session=session)
            workers.see(work, found, now=now)
            book = Book(work)
            book.load(item.run for item in holding)
            renewed, revoked = [], []
            for item in holding:
                record = book.record(item.run)
                live = _live(record, worker, item)
                if record is not None and live is not None:
                    lease = prolonged(live, now=now, lease_ttl=lease_ttl)
                    keeping = replace(record.keeping, lease=lease)
                    book.keep(Record(record.run, keeping))
                    renewed.append(Renewed(item.run, item.token, lease.expires_at))
                    if record.run.state is not RunState.STOPPING:
                        continue
                reason = _cause(record, item, live=live is not None)
                revoked.append(Revoked(item.run, item.token, reason))
            return tuple(renewed), tuple(revoked)

        return self._engine.verb(tenant, renew)

    def reclaim(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        holding: Sequence[Holding],
        now: datetime,
    ) -> tuple[Sequence[Loss], Ready]:
        def reclaim(book: Book) -> Sequence[Loss]:
            found = workers.require(book.work, worker)
            rules.check_session(found, session=session, sequence=sequence)
            named = set(holding)
            gone = [
                record
                for record in book.find({"holder": worker})
                if Holding(record.run.id, record.run.token) not in named
            ]
            return overdue.take(book, gone, now=now)

        return changing(self._engine, tenant, reclaim)

    def lease(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        slots: int,
        horizon: datetime,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Offer]:
        def lease(work: Work) -> Sequence[Offer]:
            found = workers.require(work, worker)
            rules.check_session(found, session=session, sequence=sequence)
            return offers(
                Book(work),
                found,
                slots=slots,
                horizon=horizon,
                now=cut(now),
                lease_ttl=lease_ttl,
            )

        return self._engine.verb(tenant, lease)

    def confirm(
        self,
        tenant: str,
        worker: str,
        items: Sequence[Holding],
        *,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Confirmed]:
        def verb(work: Work) -> Sequence[Confirmed]:
            book = Book(work)
            book.load(item.run for item in items)
            return tuple(
                confirm(book, worker, item, now=cut(now), lease_ttl=lease_ttl)
                for item in items
            )

        return self._engine.verb(tenant, verb)

    def report(
        self, tenant: str, worker: str, items: Sequence[Closing], *, now: datetime
    ) -> tuple[Sequence[Closed], Ready]:
        given = [kept(item) for item in items]

        def report(book: Book) -> Sequence[Closed]:
            book.load(item.run for item in given)
            runs = (book.run(item.run) for item in given)
            book.schedules.load(run.schedule for run in runs if run is not None)
            return tuple(close(book, worker, item, now=cut(now)) for item in given)

        return changing(self._engine, tenant, report)

    def progress(
        self, tenant: str, worker: str, token: int, entry: Progress
    ) -> Standing:
        def progress(work: Work) -> Standing:
            book = Book(work)
            standing = book.standing(worker, entry.run, token)
            run = book.run(entry.run)
            if standing is Standing.ACCEPTED and run is not None:
                telling.note_progress(book, run.schedule, kept(entry), now=entry.at)
            return standing

        return self._engine.verb(tenant, progress)

    def expire(
        self, *, now: datetime, limit: int, include_leases: bool
    ) -> tuple[Sequence[Loss], Ready]:
        return overdue.expire(
            self._engine, now=now, limit=limit, include_leases=include_leases
        )

    def overlap(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        return overdue.overlap(self._engine, now=now, limit=limit)

    def lapse(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        return overdue.lapse(self._engine, now=now, limit=limit)

    def preempt(self, *, now: datetime, limit: int) -> Sequence[Change]:
        return preempting.preempt(self._engine, now=cut(now), limit=limit)

    def preemptible(self) -> bool:
        return preempting.preemptible(self._engine)

    def pulse(self, *, now: datetime, limit: int) -> int:
        return overdue.pulse(self._engine, now=now, limit=limit)

    def scopes(self, tenant: str, run: str) -> Sequence[Scope]:
        def scopes(work: Work) -> Sequence[Scope]:
            book = Book(work)
            found = book.run(run)
            return () if found is None else recalling.scopes(book, found)

        return self._engine.read(tenant, scopes)

    def promote(self, *, horizon: datetime, limit: int) -> Ready:
        return overdue.promote(self._engine, horizon=horizon, limit=limit)

    def earliest(self) -> datetime | None:
        return overdue.earliest(self._engine)

    def inputs(
        self, tenant: str, runs: Sequence[str]
    ) -> Mapping[str, tuple[Run, Definition]]:
        def inputs(work: Work) -> Mapping[str, tuple[Run, Definition]]:
            book = Book(work)
            book.load(runs)
            found = [run for name in runs if (run := book.run(name)) is not None]
            book.schedules.load_definitions(found)
            return {
                run.id: (replace(run, attempts=()), book.schedules.definition_of(run))
                for run in found
            }

        return self._engine.read(tenant, inputs)


def _replace_session(work: Work, worker: Worker) -> None:
    """Remember that the stored session was one, and may not come back."""
    name = f"{worker.id}/{worker.session}"
    if work.get(kinds.SESSIONS, name) is None:
        work.put(kinds.SESSIONS, name, {"worker": worker.id, "session": worker.session})


def _live(record: Record | None, worker: str, item: Holding) -> Lease | None:
    """Return the lease that this worker has under this token."""
    if record is None or record.run.token != item.token:
        return None
    lease = record.keeping.lease
    return lease if lease is not None and lease.worker == worker else None


def _cause(record: Record | None, item: Holding, *, live: bool) -> str:
    """Return why a lease must be given up."""
    if record is None or not (live or record.run.over):
        return "lost"
    run = record.run
    return rules.cause(run.state, run.reason, newest=run.token == item.token)
