"""What time brings to an end or to its turn, of all tenants.

What there is to do is found in one look over all tenants. Each tenant's part is a verb
about it, which looks again: others may have done it since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar, cast

from crony import errors, log
from crony.model.lease import Change, Loss, Ready
from crony.model.state import RunState
from crony.storage.codec import cut, instant_in, instant_out
from crony.storage.mongodb import deciding, kinds, pulsing
from crony.storage.mongodb.admission import changing
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import lose, take_offer
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.records import Record
from crony.storage.mongodb.work import BY_KEY, Work, id_of

_log = log.get(__name__)

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Due:
    """What a look finds: the runs whose member has come to an instant."""

    member: str
    until: int

    @property
    def where(self) -> Filter:
        return {self.member: {"$lte": self.until}}

    def find(self, engine: Engine, *, limit: int) -> dict[str, list[str]]:
        """Return the first runs, by their tenants."""
        found = engine.everywhere(
            kinds.RUNS,
            self.where,
            sort=[(self.member, 1), ("id", 1)],
            limit=limit,
            fields=["tenant"],
            index=self.member,
        )
        runs: dict[str, list[str]] = {}
        for document in found:
            runs.setdefault(cast("str", document["tenant"]), []).append(id_of(document))
        return runs

    def still(self, book: Book, runs: Sequence[str]) -> list[Record]:
        """Return those that are so still, in order."""
        return book.find(
            {
                "_id": {"$in": [f"{book.work.tenant}/{run}" for run in runs]},
                **self.where,
            },
            sort=[(self.member, 1), ("id", 1)],
            index=BY_KEY,
        )


def take(book: Book, runs: Sequence[Record], *, now: datetime) -> Sequence[Loss]:
    """Take leases back: offers become pending, attempts are lost."""
    losses = []
    book.schedules.load(record.run.schedule for record in runs)
    for record in sorted(runs, key=lambda record: record.run.id):
        if record.run.state is RunState.LEASED:
            take_offer(book, record.run, now=now)
        else:
            losses.append(lose(book, record.run, now=cut(now)))
    return tuple(losses)


def expire(
    engine: Engine, *, now: datetime, limit: int, include_leases: bool
) -> tuple[Sequence[Loss], Ready]:
    """Take back what was not confirmed and, if asked for, what was not renewed."""
    dues = [_Due("confirm_by", instant_out(now))]
    if include_leases:
        dues.append(_Due("lease_ends", instant_out(now)))
    found = [(due, due.find(engine, limit=limit)) for due in dues]
    tenants = dict.fromkeys(tenant for _, runs in found for tenant in runs)

    def expire(book: Book) -> Sequence[Loss]:
        gone = [
            record
            for due, runs in found
            for record in due.still(book, runs.get(book.work.tenant, ()))
        ]
        return take(book, gone, now=now)

    losses: list[Loss] = []
    ready: set[tuple[str, str]] = set()
    for lost, lines in _apart(tenants, lambda name: changing(engine, name, expire)):
        losses += lost
        ready |= lines
    return tuple(losses), frozenset(ready)


def _apart(tenants: Iterable[str], do: Callable[[str], _Item]) -> Iterator[_Item]:
    """Meet what came of each tenant.

    One that others write to all the time holds up no other, and has its turn in the
    next step. Where nobody is served the store itself is away.
    """
    failed: errors.StoreUnavailable | None = None
    served = False
    for tenant in tenants:
        try:
            answer = do(tenant)
        except errors.StoreUnavailable as exc:
            if failed is not None and not served:
                raise
            failed = exc
            _log.warning("tenant left for the next step", tenant=tenant, why=str(exc))
            continue
        served = True
        yield answer
    if failed is not None and not served:
        raise failed


def overlap(
    engine: Engine, *, now: datetime, limit: int
) -> tuple[Sequence[Change], Ready]:
    """Decide on runs whose instant has come while others were in their way."""

    def decide(book: Book, record: Record) -> Sequence[Change]:
        return deciding.decide(book, record, now=cut(now))

    due = _Due("decide_at", instant_out(now))
    return _each(engine, due, decide, limit=limit)


def lapse(
    engine: Engine, *, now: datetime, limit: int
) -> tuple[Sequence[Change], Ready]:
    """Expire runs that have not started by their deadline."""

    def lapse(book: Book, record: Record) -> Sequence[Change]:
        return [deciding.lapse(book, record, now=cut(now))]

    due = _Due("start_by", instant_out(now))
    return _each(engine, due, lapse, limit=limit)


def pulse(engine: Engine, *, now: datetime, limit: int) -> int:
    """Leave a follow-up for each running run whose progress hook has come due."""

    def pulse(book: Book, record: Record) -> Sequence[str]:
        pulsing.pulse(book, record, now=cut(now))
        return [record.run.id]

    due = _Due("pulse_at", instant_out(now))
    pulsed, _ = _each(engine, due, pulse, limit=limit)
    return len(pulsed)


def _each(
    engine: Engine,
    due: _Due,
    do: Callable[[Book, Record], Sequence[_Item]],
    *,
    limit: int,
) -> tuple[Sequence[_Item], Ready]:
    """Do something with each run that is due."""
    found = due.find(engine, limit=limit)

    def verb(book: Book) -> list[_Item]:
        still = due.still(book, found[book.work.tenant])
        book.schedules.load(record.run.schedule for record in still)
        return [item for record in still for item in do(book, record)]

    items: list[_Item] = []
    ready: set[tuple[str, str]] = set()
    for done, lines in _apart(found, lambda name: changing(engine, name, verb)):
        items += done
        ready |= lines
    return tuple(items), frozenset(ready)


def promote(engine: Engine, *, horizon: datetime, limit: int) -> Ready:
    """Make waiting runs leasable."""
    due = _Due("ready_at", instant_out(horizon))
    found = due.find(engine, limit=limit)

    def promote(work: Work) -> set[tuple[str, str]]:
        book = Book(work)
        still = due.still(book, found[work.tenant])
        for record in still:
            keeping = replace(record.keeping, waiting=False)
            book.keep(Record(record.run, keeping))
        return {
            (record.run.tenant, record.run.queue) for record in still if record.offered
        }

    lines = _apart(found, lambda name: engine.verb(name, promote))
    return frozenset(line for some in lines for line in some)


def earliest(engine: Engine) -> datetime | None:
    """Return when time has something to do, or a run becomes available."""
    engine.settle()
    return min(map(instant_in, _firsts(engine)), default=None)


def _firsts(engine: Engine) -> Iterator[int]:
    """Meet the earliest instant of each kind."""
    for member in (
        *("confirm_by", "lease_ends", "ready_at"),
        *("decide_at", "start_by", "pulse_at"),
    ):
        found = engine.database.find(
            kinds.RUNS,
            {member: {"$exists": True}},
            sort=[(member, 1), ("id", 1)],
            limit=1,
            fields=[member],
            index=member,
        )
        for document in found:
            yield cast("int", document[member])
