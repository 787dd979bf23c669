"""Old runs go, and are counted, in MongoDB."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import cast

from crony.model.moving import Pruned
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import TERMINAL, Origin, RunState
from crony.storage.codec import instant_out
from crony.storage.contract import Position
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import faulting, kinds, outputs, walking
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.records import ENDED_AT, HOOK_ENDED_AT
from crony.storage.mongodb.schedule_documents import NEVER, stored_in
from crony.storage.mongodb.work import Work, id_of

_UNFINISHED = [state.value for state in RunState if state not in TERMINAL]

#: So many candidates are read at once.
_PIECE = 500

_SCHEDULED = [("scheduled_for", 1), ("id", 1)]

#: After every id, and before the first.
_LAST, _FIRST = "~", ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of a schedule's runs is kept; instants as kept."""

    keep: int
    before: int
    now: int


def prune(
    engine: Engine, tenant: str, schedule: str, bounds: Bounds, *, limit: int
) -> int:
    """Remove what nobody has to answer for any more; return how many runs."""

    def take_away(work: Work) -> int:
        book = Book(work)
        gone = list(islice(_gone(book, schedule, bounds, most=limit), limit))
        _count(work, schedule, gone)
        gone += _withdrawn(book, schedule, bounds, limit=limit - len(gone))
        remove(book, gone)
        if book.schedules.get(schedule) is None and not _any_run(work, schedule):
            _forget(work, schedule)
        return len(gone)

    return engine.verb(tenant, take_away)


def _any_run(work: Work, schedule: str) -> bool:
    where = {"schedule": schedule, "scheduled_for": {"$exists": True}}
    return bool(work.find(kinds.RUNS, where, limit=1))


def _gone(book: Book, schedule: str, bounds: Bounds, *, most: int) -> Iterator[Run]:
    """Meet the ended runs that go, in the order in which they do."""
    # What ended before comes up to the last millisecond, whatever its id.
    edge = (bounds.before - 1, _LAST)
    kept = book.work.nth(
        kinds.RUNS,
        {"schedule": schedule, ENDED_AT: {"$exists": True}},
        sort=[(ENDED_AT, -1), ("id", -1)],
        skip=bounds.keep,
    )
    if kept is not None:
        edge = max(edge, (cast("int", kept[ENDED_AT]), cast("str", kept["id"])))
    oldest = merge(
        _old(book, schedule, ENDED_AT, edge, now=bounds.now),
        _old(book, schedule, HOOK_ENDED_AT, edge, now=bounds.now),
        key=_place,
    )
    for run in oldest:
        if run.origin is not Origin.HOOK:
            hooks: Document = {"parent": run.id, HOOK_ENDED_AT: {"$exists": True}}
            followed = book.find(hooks, sort=_SCHEDULED, limit=most)
            yield from (record.run for record in followed)
        yield run


def _old(
    book: Book, schedule: str, member: str, edge: tuple[int, str], *, now: int
) -> Iterator[Run]:
    """Meet the runs up to the edge that nothing holds back, earliest end first."""
    position = (0, _FIRST)
    while True:
        piece = _piece(book, schedule, member, position, edge)
        spared = _spared(book, piece)
        for run in piece:
            if instant_out(run.scheduled_for) <= now and run.id not in spared:
                yield run
        if len(piece) < _PIECE:
            return
        position = _place(piece[-1])


def _piece(
    book: Book,
    schedule: str,
    member: str,
    position: tuple[int, str],
    edge: tuple[int, str],
) -> list[Run]:
    """Return the next runs up to the edge."""
    at, id = position
    ties = {member: at, "id": {"$gt": id}}
    later = {member: {"$gt": at, "$lte": edge[0]}}
    found: list[Run] = []
    for asked in (ties, later):
        where = {"schedule": schedule, **asked}
        sort = [(member, 1), ("id", 1)]
        records = book.find(where, sort=sort, limit=_PIECE - len(found))
        found += [record.run for record in records]
    return [run for run in found if _place(run) <= edge]


def _place(run: Run) -> tuple[int, str]:
    return instant_out(run.finished_at or run.created_at), run.id


def _spared(book: Book, runs: Sequence[Run]) -> set[str]:
    """Return those that something unfinished refers to, and hooks' that are next to
    what they follow."""
    work, names = book.work, [run.id for run in runs]
    if not names:
        return set()
    among = {"$in": names}
    children = work.find(
        kinds.RUNS,
        {"parent": among, "state": {"$in": _UNFINISHED}},
        fields=["parent", "state"],
    )
    owed = work.find(kinds.FOLLOW_UPS, {"run": among}, fields=["run"])
    followed = {run.id: run.parent for run in runs if run.origin is Origin.HOOK}
    book.load(parent for parent in followed.values() if parent)
    return {
        *(cast("str", child["parent"]) for child in children),
        *(cast("str", each["run"]) for each in owed),
        *(name for name, parent in followed.items() if parent and book.run(parent)),
    }


def _withdrawn(book: Book, schedule: str, bounds: Bounds, *, limit: int) -> list[Run]:
    """Return the withdrawn runs of a schedule that will not be due again."""
    found = book.schedules.get(schedule)
    end = bounds.before
    if found is None:
        end = NEVER
    elif found.cursor is not None:
        end = min(end, instant_out(found.cursor))
    where: Document = {
        "schedule": schedule,
        "state": RunState.WITHDRAWN.value,
        "scheduled_for": {"$lt": end},
    }
    return [record.run for record in book.find(where, sort=_SCHEDULED, limit=limit)]


def _count(work: Work, schedule: str, runs: Sequence[Run]) -> None:
    """Add runs to what is known of those that are gone."""
    if not runs:
        return
    until = max(run.range_until or run.scheduled_for for run in runs)
    known = pruned(work, schedule) or Pruned(until=until, occurrences={}, others={})
    occurrences, others = Counter(known.occurrences), Counter(known.others)
    for run in runs:
        counts = occurrences if run.origin is Origin.SCHEDULE else others
        counts[run.state] += run.range_count
    put_pruned(
        work,
        schedule,
        Pruned(until=max(known.until, until), occurrences=occurrences, others=others),
    )


def put_pruned(work: Work, schedule: str, left: Pruned | None) -> None:
    """Keep what is left of a schedule's runs, in the place of what was known."""
    known = work.get(kinds.PRUNED, schedule)
    if left is not None:
        work.put(kinds.PRUNED, schedule, document_out(left))
    elif known is not None:
        work.delete(kinds.PRUNED, schedule)


def pruned(work: Work, schedule: str) -> Pruned | None:
    """Return what is left of the runs that were pruned."""
    found = work.get(kinds.PRUNED, schedule)
    return None if found is None else document_in(Pruned, found)


def remove(book: Book, runs: Sequence[Run]) -> None:
    """Forget runs, with all that belongs to them."""
    if runs:
        names = [run.id for run in runs]
        outputs.forget(book.work, names)
        faulting.forget(book.work, names)
        for run in runs:
            book.remove(run)


def _forget(work: Work, schedule: str) -> None:
    """Forget the definitions and versions of a schedule, if there are any left."""
    for kind in (kinds.DEFINITIONS, kinds.VERSIONS):
        where = {"schedule": schedule}
        if work.find(kind, where, limit=1, fields=["schedule"]):
            work.sweep(kind, where)


def prunable(
    engine: Engine, *, limit: int, after: Position | None
) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
    """Return schedules that may have something to remove, piece by piece."""
    walked, end = walking.walk(engine, limit=limit, after=after)
    of_tenants: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    for document in walked:
        tenant = cast("str", document["tenant"])
        of_tenants[tenant][id_of(document)] = bool(document["there"])
    left = {
        (tenant, name)
        for tenant, looked in of_tenants.items()
        for name in _left_of(engine.glance(tenant), looked)
    }
    found = []
    for document in walked:
        place = (cast("str", document["tenant"]), id_of(document))
        if place in left:
            found.append((*place, stored_in(document).schedule))
    return tuple(found), end


def _left_of(work: Work, looked: Mapping[str, bool]) -> set[str]:
    """Return those that have runs, and deleted ones that have definitions."""
    dead = [name for name, there in looked.items() if not there]
    left: set[str] = set()
    for kind, names in ((kinds.RUNS, list(looked)), (kinds.DEFINITIONS, dead)):
        among = {"schedule": {"$in": names}}
        left |= set(work.distinct(kind, "schedule", among)) if names else set()
    return left
