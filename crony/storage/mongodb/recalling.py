"""Offers that give way to a run that is due earlier, and limits, in MongoDB."""

from __future__ import annotations

from collections.abc import Sequence

from crony.model import policy
from crony.model.lease import Scope
from crony.model.run import Run
from crony.model.state import Origin
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, places
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import take_offer
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.work import id_of


def recall_for(book: Book, run: Run) -> frozenset[str]:
    """Take back the offers that give way to a new run; return their workers.

    One of the schedule makes room in its group as well.
    """
    recalled = set()
    if run.origin is not Origin.HOOK:
        for full, scope in (
            (_schedule_full, {"schedule": run.schedule}),
            (_group_full, {"group": run.group}),
            (_tenant_full, {}),
        ):
            if full(book, run):
                recalled |= _recall(book, scope, run)
    return frozenset(recalled)


def _schedule_full(book: Book, run: Run) -> bool:
    limit = book.schedules.limit_of(run.schedule)
    return limit != policy.NO_LIMIT and len(_held(book, run.schedule)) >= limit


def _group_full(book: Book, run: Run) -> bool:
    return places.full(book.work, run.group)


def _tenant_full(book: Book, _: Run) -> bool:
    return places.full(book.work, places.TENANT)


def _recall(book: Book, scope: Filter, run: Run) -> set[str]:
    """Take back the latest offer that starts later than the new run."""
    after = run.available_at + policy.CONFIRM_AHEAD + policy.CONFIRM_GRACE
    later = book.find(
        {
            **scope,
            "holder": {"$gt": ""},
            "confirm_by": {"$gt": instant_out(after)},
            "origin": {"$ne": Origin.HOOK.value},
        },
        sort=[("confirm_by", -1), ("id", -1)],
        limit=1,
        index="held",
    )
    for record in later:
        worker = record.lease.worker
        take_offer(book, record.run, now=run.created_at)
        return {worker}
    return set()


def scopes(book: Book, run: Run) -> Sequence[Scope]:
    """Return the limits that hold for a run: none for a hook's."""
    if run.origin is Origin.HOOK:
        return ()
    limit = book.schedules.limit_of(run.schedule)
    of_group: Document = {"group": run.group}
    named = (
        (
            "schedule",
            run.schedule,
            None if limit == policy.NO_LIMIT else limit,
            _held(book, run.schedule),
        ),
        (
            "group",
            run.group,
            places.limit_of(book.work, run.group),
            _held_by(book, of_group),
        ),
        (
            "tenant",
            run.tenant,
            places.limit_of(book.work, places.TENANT),
            _held_by(book, {}),
        ),
    )
    return tuple(
        Scope(
            kind=kind,
            name=name,
            limit=most,
            held=len(held),
            runs=tuple(sorted(held)[: rules.SCOPE_RUNS]),
        )
        for kind, name, most, held in named
    )


def _held(book: Book, schedule: str) -> list[str]:
    return _held_by(book, {"schedule": schedule})


def _held_by(book: Book, scope: Filter) -> list[str]:
    """Return the runs in workers' hands that take a limit up."""
    found = book.work.find(
        kinds.RUNS,
        {**scope, "holder": {"$gt": ""}},
        fields=["schedule", "group", "holder", "origin"],
        index="held_of_schedule" if "schedule" in scope else "held",
    )
    return [id_of(run) for run in found if run["origin"] != Origin.HOOK.value]
