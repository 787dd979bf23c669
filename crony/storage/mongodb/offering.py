"""Which runs a worker is offered: chosen from the lanes that suit it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from crony.clock import EPOCH
from crony.model.lease import Offer
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import cut, instant_out, kept
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, lanes, places
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.records import Lease, Record
from crony.storage.mongodb.work import Work, id_of

#: What a run is ordered by, its id last.
Rank = tuple[int, int, bool, int, str]

#: Within a lane, and what catches up apart.
ORDER = [("priority", -1), ("turn", 1), ("due_at", 1), ("id", 1)]

#: What is read of a run to find its place.
FIELDS = (
    *("open_lane", "lane", "priority", "turn", "catch_up", "due_at", "id"),
    *("available_at", "admitted", "ready_at", "reserved", "state", "origin", "group"),
)


def offers(
    book: Book,
    worker: Worker,
    *,
    slots: int,
    horizon: datetime,
    now: datetime,
    lease_ttl: timedelta,
) -> Sequence[Offer]:
    """Lease the first runs that the worker may have, in the order of leasing."""
    if worker.draining or slots < 1 or places.stands_still(book.work):
        return ()
    chosen = _choose(book.work, worker, slots=slots, horizon=horizon, now=now)
    book.load(chosen)
    found = [record for run in chosen if (record := book.record(run)) is not None]
    book.schedules.load_definitions(record.run for record in found)
    return tuple(
        _offer(book, worker, record, now=now, lease_ttl=lease_ttl) for record in found
    )


def _choose(
    work: Work, worker: Worker, *, slots: int, horizon: datetime, now: datetime
) -> list[str]:
    """Return the first runs that the worker may have, in the order of leasing."""
    suited = lanes.open_to(worker, lanes.open_lanes(work).items())
    room = _Room(work, worker)
    chosen: list[str] = []
    start, present = instant_out(EPOCH) - 1, instant_out(min(now, horizon))
    # What may start now comes first: while there is enough of it, nobody looks at
    # what is to come, and afterwards no long line of it is in the way.
    for after, until in ((start, present), (present, instant_out(horizon))):
        if len(chosen) == slots:
            break
        where = {
            "available_at": {"$gt": after, "$lte": until},
            "$or": free_for(worker.id, now=now),
        }
        texts = [text for text, lane in suited.items() if room.for_group(lane.group)]
        kinds_of = (False, True) if room.for_catch_up() else (False,)
        found = first_of_lanes(
            work, texts, where, catch_up=kinds_of, limit=slots - len(chosen)
        )
        found += overdue(work, after=after, until=until, where=where)
        for document in sorted(found, key=rank):
            if len(chosen) == slots:
                break
            lane = lanes.lane_in(work.tenant, cast("str", document["lane"]))
            late = bool(document["catch_up"])
            if lanes.suits(worker, lane) and room.take(lane.group, catch_up=late):
                chosen.append(id_of(document))
    return chosen


def free_for(worker: str | None, *, now: datetime) -> list[Document]:
    """Match what is not reserved, for others than the worker if one is named."""
    free: list[Document] = [
        {"reserved": None},
        {"reserved.until": {"$lte": instant_out(now)}},
    ]
    return free if worker is None else [*free, {"reserved.worker": worker}]


def first_of_lanes(
    work: Work,
    texts: Sequence[str],
    where: Filter,
    *,
    catch_up: Collection[bool],
    limit: int,
) -> list[Document]:
    """Return the first runs of each lane.

    What catches up comes apart, for a worker takes few of it: the others are found
    however many of it there are.
    """
    found: list[Document] = []
    for late in catch_up:
        firsts = work.find_each(
            kinds.RUNS,
            "open_lane",
            texts,
            {"catch_up": late, **where},
            sort=ORDER,
            limit=limit,
            fields=FIELDS,
            index="open",
        )
        found += [document for of in firsts.values() for document in of]
    return found


def overdue(work: Work, *, after: int, until: int, where: Filter) -> list[Document]:
    """Return what became available and was not promoted yet: few, for a tick
    promotes them."""
    ready = {"ready_at": {"$gt": after, "$lte": until}, "admitted": True}
    return work.find(kinds.RUNS, {**where, **ready}, fields=FIELDS, index="ready")


def rank(document: Document) -> Rank:
    """Return the place of a run in the order of leasing."""
    return (
        -cast("int", document["priority"]),
        cast("int", document["turn"]),
        cast("bool", document["catch_up"]),
        cast("int", document["due_at"]),
        cast("str", document["id"]),
    )


class _Room:
    """What a worker may take in one step, under the limits that hold for it."""

    def __init__(self, work: Work, worker: Worker) -> None:
        self._work = work
        self._worker = worker
        self._tenant = places.free(work, places.TENANT)
        self._groups: dict[str, int | None] = {}
        self._share: int | None = None

    def _group(self, group: str) -> int | None:
        if group not in self._groups:
            self._groups[group] = places.free(self._work, group)
        return self._groups[group]

    def for_group(self, group: str) -> bool:
        """Return whether a run of the group may be taken; of no group, always."""
        if group == lanes.NO_GROUP:
            return True
        return self._tenant != 0 and self._group(group) != 0

    def take(self, group: str, *, catch_up: bool) -> bool:
        """Take a run of the group, if there is room for it."""
        if not self.for_group(group) or (catch_up and not self.for_catch_up()):
            return False
        if catch_up and self._share is not None:
            self._share -= 1
        if group != lanes.NO_GROUP:
            if self._tenant is not None:
                self._tenant -= 1
            left = self._group(group)
            if left is not None:
                self._groups[group] = left - 1
        return True

    def for_catch_up(self) -> bool:
        """Return whether the worker may take one more run that catches up."""
        if self._share is None:
            held = catching_up(self._work, self._worker.id)
            self._share = rules.catch_up_share(self._worker.slots) - held
        return self._share > 0


def catching_up(work: Work, worker: str) -> int:
    """Return how many runs that catch up a worker has in its hands."""
    held = {"holder": worker, "catch_up": True}
    return len(work.find(kinds.RUNS, held, fields=[*held], index="held"))


def _offer(
    book: Book, worker: Worker, record: Record, *, now: datetime, lease_ttl: timedelta
) -> Offer:
    run = record.run
    start_at = max(run.available_at, now)
    leased = rules.leased(run, worker, now=now)
    lease = Lease(
        worker=worker.id, start_at=start_at, expires_at=cut(start_at + lease_ttl)
    )
    grants = record.keeping.grant(worker.id, leased.token)
    book.put(leased, now=now, lease=lease, grants=grants)
    return Offer(
        run=kept(replace(leased, attempts=())),
        definition=book.schedules.definition_of(leased),
        token=leased.token,
        attempt=leased.attempt,
        start_at=start_at,
        expires_at=lease.expires_at,
    )
