"""Runs of low priority make room for those of higher priority, in MongoDB.

Of a lane, the first runs suffice: all of it may go to the same workers and count
towards the same limits, so that where there is no victim for one, there is none for
those behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import cast

from crony.clock import EPOCH
from crony.model import policy
from crony.model.lease import Change
from crony.model.state import Origin, Reason
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.documents import Document, document_in
from crony.storage.mongodb import kinds, lanes, offering, places
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import stop
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.records import Record, Reservation
from crony.storage.mongodb.work import Work, id_of


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a candidate may run, and what keeps it."""

    group: str
    #: Workers that may execute it,
    workers: frozenset[str]
    #: and whether one of them has a slot without a lease.
    slot: bool
    #: Whether there is no place in its group, or in its tenant.
    group_full: bool
    full: bool


def preemptible(engine: Engine) -> bool:
    """Return whether a preemptible run is running."""
    return bool(_tenants(engine, limit=1))


def _tenants(engine: Engine, *, limit: int | None = None) -> dict[str, None]:
    """Return the tenants in which a run might give way."""
    found = engine.everywhere(
        kinds.RUNS,
        # The index begins with the tenant.
        {"tenant": {"$gt": ""}, "yields": {"$exists": True}},
        sort=[("tenant", 1), ("yields", 1)],
        limit=limit,
        fields=["tenant", "yields"],
        index="yields",
    )
    return dict.fromkeys(cast("str", run["tenant"]) for run in found)


def preempt(engine: Engine, *, now: datetime, limit: int) -> Sequence[Change]:
    """Stop preemptible runs for what has waited long enough."""
    victims: list[Change] = []
    for tenant in _tenants(engine):
        most = limit - len(victims)
        if most > 0:
            verb = partial(_preempt, now=now, limit=most)
            victims += engine.verb(tenant, verb)
    return tuple(victims)


def _preempt(work: Work, *, now: datetime, limit: int) -> list[Change]:
    book = Book(work)
    victims = _victims(book)
    if not victims or places.stands_still(work):
        return []
    least = min(victim.run.priority for victim in victims)
    candidates = _candidates(work, above=least, now=now, limit=limit)
    if not candidates:
        return []
    lines = _Lines(work)
    stopped: list[Change] = []
    for candidate in candidates:
        if len(stopped) == limit:
            break
        victim = lines.victim(victims, candidate)
        if victim is not None:
            victims.remove(victim)
            lines.reserve(victim, candidate)
            _reserve(book, id_of(candidate), victim)
            stopped.append(stop(book, victim.run, Reason.PREEMPTED, now=now))
    return stopped


def _victims(book: Book) -> list[Record]:
    """Return the runs that might give way, the first to do so first."""
    found = book.find({"yields": {"$exists": True}}, index="yields")
    return sorted(found, key=_order)


def _order(record: Record) -> tuple[int, float, str]:
    """The lowest priority first, then the newest started."""
    started_at = record.run.started_at or EPOCH
    return (record.run.priority, -started_at.timestamp(), record.run.id)


def _candidates(work: Work, *, above: int, now: datetime, limit: int) -> list[Document]:
    """Return what has waited long enough, in the order of leasing."""
    since = instant_out(now - policy.PREEMPT_AFTER)
    where: Document = {
        "available_at": {"$lte": since},
        "priority": {"$gt": above},
        "$or": offering.free_for(None, now=now),
    }
    # Nobody gives way to hooks' runs.
    texts = [
        text
        for text, lane in lanes.open_lanes(work).items()
        if lane.group != lanes.NO_GROUP
    ]
    found = offering.first_of_lanes(
        work, texts, where, catch_up=(False, True), limit=limit
    )
    start = instant_out(EPOCH) - 1
    found += [
        document
        for document in offering.overdue(work, after=start, until=since, where=where)
        if document["origin"] != Origin.HOOK.value
    ]
    return sorted(found, key=offering.rank)


class _Lines:
    """What is to be known of the lanes of a tenant, looked up once."""

    def __init__(self, work: Work) -> None:
        self._work = work
        found = work.find(
            kinds.WORKERS, {"lost": False, "draining": False, "name": {"$gt": ""}}
        )
        self._workers = [document_in(Worker, document) for document in found]
        names = [worker.id for worker in self._workers]
        held = work.find(
            kinds.RUNS,
            {"holder": {"$in": names}},
            fields=["holder", "catch_up"],
            index="held",
        )
        self._held = Counter(cast("str", run["holder"]) for run in held)
        late = Counter(cast("str", run["holder"]) for run in held if run["catch_up"])
        #: How many more runs that catch up each may have.
        self._room = {
            worker.id: rules.catch_up_share(worker.slots) - late[worker.id]
            for worker in self._workers
        }
        self._lines: dict[str, _Line] = {}

    def _line(self, text: str) -> _Line:
        if text not in self._lines:
            lane = lanes.lane_in(self._work.tenant, text)
            able = [w for w in self._workers if lanes.suits(w, lane)]
            group_full = places.full(self._work, lane.group)
            self._lines[text] = _Line(
                lane.group,
                frozenset(worker.id for worker in able),
                any(self._held[worker.id] < worker.slots for worker in able),
                group_full,
                group_full or places.full(self._work, places.TENANT),
            )
        return self._lines[text]

    def victim(self, victims: Sequence[Record], candidate: Document) -> Record | None:
        """Return the run that is to make room for this one, if one should and can."""
        line = self._line(cast("str", candidate["lane"]))
        if line.slot and not line.full:
            return None
        return next((v for v in victims if self._gives(v, line, candidate)), None)

    def _gives(self, victim: Record, line: _Line, candidate: Document) -> bool:
        run, worker = victim.run, victim.lease.worker
        return (
            run.priority < cast("int", candidate["priority"])
            and worker in line.workers
            and (not line.group_full or run.group == line.group)
            # A hook's run takes no place that it could free.
            and not (line.full and run.origin is Origin.HOOK)
            # A worker takes only so many that catch up.
            and (not candidate["catch_up"] or run.catch_up or self._room[worker] > 0)
        )

    def reserve(self, victim: Record, candidate: Document) -> None:
        """Count what is reserved for a worker of what catches up."""
        if candidate["catch_up"] and not victim.run.catch_up:
            self._room[victim.lease.worker] -= 1


def _reserve(book: Book, run: str, victim: Record) -> None:
    """Keep the victim's slot for the run."""
    record = book.record(run)
    if record is None:
        raise AssertionError(f"{run} is to be reserved and not there")
    lease = victim.lease
    reserved = Reservation(worker=lease.worker, until=lease.expires_at)
    book.keep(Record(record.run, replace(record.keeping, reserved=reserved)))
