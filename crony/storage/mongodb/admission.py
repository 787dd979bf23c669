"""Which runs of a schedule may be leased now.

Admission is a mark on the pending run. It is worked out anew, for the schedules that a
verb touched, before the verb commits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar, cast

from crony.model import policy
from crony.model.lease import Ready
from crony.model.state import Origin
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, places
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.records import Record
from crony.storage.mongodb.work import Work

_Answer = TypeVar("_Answer")

#: What is said of pending runs alone, and by their index.
PENDING = {"untried": {"$gte": False}}

#: What waits for its retry is not overtaken.
ORDER = [("untried", 1), ("due_at", 1), ("id", 1)]

#: The same of a run.
_Place = tuple[bool, int, str]


@contextmanager
def change(book: Book) -> Iterator[set[tuple[str, str]]]:
    """Admit anew at the end in what was touched; tell what became leasable.

    That is also what waited for a place in its group or tenant, of any schedule. The
    set is complete only after the block.
    """
    lines: set[tuple[str, str]] = set()
    yield lines
    admit(book)
    lines |= book.lines() | places.opened(book.work)


#: So many runs of a schedule are let in by one verb; the next one goes on.
_AT_ONCE = 10_000


def changing(
    engine: Engine, tenant: str, do: Callable[[Book], _Answer]
) -> tuple[_Answer, Ready]:
    """Return what a verb on a tenant's book answers, and what it let go."""

    def verb(work: Work) -> tuple[_Answer, Ready]:
        book = Book(work)
        with change(book) as lines:
            answer = do(book)
        return answer, frozenset(lines)

    return engine.verb(tenant, verb)


def admit(book: Book) -> None:
    """Decide which runs are admitted in the schedules that were touched."""
    touched = sorted(book.touched)
    book.touched.clear()
    if not touched:
        return
    book.schedules.load(touched)
    limits = {name: book.schedules.limit_of(name) for name in touched}
    bounded = [name for name in touched if limits[name] != policy.NO_LIMIT]
    held = _held(book.work, bounded)
    free = {name: max(0, limits[name] - held[name]) for name in bounded}
    free |= {name: policy.NO_LIMIT for name in touched if name not in free}
    first = _admitted(book.work, bounded)
    for name, waiting in _waiting(book, free).items():
        first[name] += waiting
    for name, runs in first.items():
        runs.sort()
        _mark(book, runs[: free[name]], admitted=True)
        _mark(book, runs[free[name] :], admitted=False)


def _held(work: Work, schedules: Sequence[str]) -> Counter[str]:
    """Return how many places of each schedule are taken up."""
    found = work.find(
        kinds.RUNS,
        {"schedule": {"$in": schedules}, "holder": {"$gt": ""}},
        fields=["schedule", "holder", "origin"],
        index="held_of_schedule",
    )
    return Counter(
        cast("str", run["schedule"])
        for run in found
        if run["origin"] != Origin.HOOK.value
    )


def _admitted(work: Work, schedules: Sequence[str]) -> defaultdict[str, list[_Place]]:
    """Return the runs that are admitted, hooks' apart: at most as many as a limit."""
    found = work.find(
        kinds.RUNS,
        {"schedule": {"$in": schedules}, "admitted": True, **PENDING},
        fields=["schedule", "origin", "admitted", "untried", "due_at", "id"],
        index="pending",
    )
    admitted: defaultdict[str, list[_Place]] = defaultdict(list)
    for run in found:
        if run["origin"] != Origin.HOOK.value:
            admitted[cast("str", run["schedule"])].append(_place(run))
    return admitted


def _waiting(book: Book, free: Mapping[str, int]) -> dict[str, list[_Place]]:
    """Return the first runs that are not admitted; those of hooks always are."""
    where = {"admitted": False, **PENDING}
    changed = book.changed(where)
    wanted = [name for name in free if free[name]]
    waiting = {name: changed[name] for name in wanted if name in changed}
    if wanted:
        # Without a limit nothing waits for long, but for what did under the one before.
        among = {"schedule": {"$in": wanted}}
        long = book.work.distinct(kinds.RUNS, "schedule", {**among, **where})
        most = min(_AT_ONCE, max((free[name] for name in long), default=0))
        waiting |= book.work.find_each(
            kinds.RUNS,
            "schedule",
            long,
            where,
            sort=ORDER,
            limit=most,
            index="pending",
        )
    return {name: [_place(run) for run in runs] for name, runs in waiting.items()}


def _place(run: Document) -> _Place:
    return (
        cast("bool", run["untried"]),
        cast("int", run["due_at"]),
        cast("str", run["id"]),
    )


def _mark(book: Book, runs: Sequence[_Place], *, admitted: bool) -> None:
    book.load(run for *_, run in runs)
    for *_, run in runs:
        record = book.record(run)
        if record is not None and record.keeping.admitted != admitted:
            keeping = replace(record.keeping, admitted=admitted)
            book.keep(Record(record.run, keeping))
