"""Which runs of a schedule may be leased now.

Admission is a mark on the pending run. It is worked out anew, for the schedules that a
verb touched, before the verb commits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar, cast

from crony.model import policy
from crony.model.lease import Ready
from crony.model.state import Origin, RunState
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, places
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.records import Record
from crony.storage.mongodb.work import Work

_Answer = TypeVar("_Answer")

_PENDING = RunState.PENDING.value

#: What waits for its retry is not overtaken.
_ORDER = [("untried", 1), ("due_at", 1), ("id", 1)]


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
    book.load_schedules(touched)
    limits = {name: book.limit_of(name) for name in touched}
    bounded = [name for name in touched if limits[name] != policy.NO_LIMIT]
    held = _held(book.work, bounded)
    free = {name: max(0, limits[name] - held[name]) for name in bounded}
    admitted = _admitted(book, bounded)
    others = _others(book, touched, most=max(free.values(), default=0))
    for name in touched:
        if name not in free:
            _mark(book, others[name], admitted=True)
            continue
        both = sorted([*admitted[name], *others[name]], key=_place)
        _mark(book, both[: free[name]], admitted=True)
        _mark(book, both[free[name] :], admitted=False)


def _held(work: Work, schedules: Sequence[str]) -> Counter[str]:
    """Return how many places of each schedule are taken up."""
    found = work.find(
        kinds.RUNS,
        {"schedule": {"$in": schedules}, "holder": {"$gt": ""}},
        fields=["schedule", "holder", "origin"],
    )
    return Counter(
        cast("str", run["schedule"])
        for run in found
        if run["origin"] != Origin.HOOK.value
    )


def _admitted(book: Book, schedules: Sequence[str]) -> defaultdict[str, list[Record]]:
    """Return the runs that are admitted, hooks' apart: at most as many as a limit."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    where: Document = {
        "schedule": {"$in": schedules},
        "state": _PENDING,
        "admitted": True,
    }
    if schedules:
        for record in book.find(where):
            if record.run.origin is not Origin.HOOK:
                found[record.run.schedule].append(record)
    return found


def _others(
    book: Book, schedules: Sequence[str], *, most: int
) -> dict[str, list[Record]]:
    """Return the first runs that are not admitted; those of hooks always are."""
    bounded = [name for name in schedules if book.limit_of(name) != policy.NO_LIMIT]
    found = _waiting(book, bounded, limit=most) if most else {}
    for name in schedules:
        if book.limit_of(name) == policy.NO_LIMIT:
            # All of them were made pending by this verb.
            where = {"schedule": name, "state": _PENDING, "admitted": False}
            found[name] = book.find(where)
        found.setdefault(name, [])
    return found


def _waiting(
    book: Book, schedules: Sequence[str], *, limit: int
) -> dict[str, list[Record]]:
    return book.find_each(
        "schedule",
        schedules,
        {"state": _PENDING, "admitted": False},
        sort=_ORDER,
        limit=limit,
    )


def _place(record: Record) -> tuple[bool, object, str]:
    return (record.run.attempt == 0, record.run.due_at, record.run.id)


def _mark(book: Book, runs: Sequence[Record], *, admitted: bool) -> None:
    for record in runs:
        if record.keeping.admitted != admitted:
            keeping = replace(record.keeping, admitted=admitted)
            book.keep(Record(record.run, keeping))
