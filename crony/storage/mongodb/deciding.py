"""What an instant decides of runs that wait: overlaps, and deadlines, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model import policy
from crony.model.lease import Change
from crony.model.run import Run
from crony.model.state import EXECUTING, Reason, RunState
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import end_unstarted, stop
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.records import Record
from crony.storage.mongodb.settling import held, waiting


def decide(book: Book, record: Record, *, now: datetime) -> list[Change]:
    """Decide on a run whose instant has come while others were in its way."""
    run = record.run
    if run.overlap is None or run.state is not RunState.PENDING:
        # A run before it in the same step has ended it.
        return []
    decided = replace(run, overlap=None)
    # Not by ``put``: what waits to be promoted goes on to.
    book.keep(Record(decided, record.keeping))
    book.touched.add(run.schedule)
    way = _in_the_way(book, run)
    limit = book.schedules.limit_of(run.schedule)
    if len(way) < limit:
        return []
    if run.overlap == policy.SKIP:
        return [end_unstarted(book, decided, RunState.SKIPPED, Reason.OVERLAP, now=now)]
    given = rules.giving_way(way, limit=limit)
    return [_replace(book, other, now=now) for other in given]


def _in_the_way(book: Book, run: Run) -> list[Run]:
    """Return the unfinished runs that come before this one, oldest first."""
    before: Filter = {
        "schedule": run.schedule,
        "due_at": {"$lte": instant_out(run.due_at)},
    }
    # What is held, and what waits, each through its own index.
    found = [
        *held(book, before),
        *waiting(book, before),
    ]
    return rules.in_the_way(run, [record.run for record in found])


def _replace(book: Book, run: Run, *, now: datetime) -> Change:
    if run.state in EXECUTING:
        return stop(book, run, Reason.REPLACED, now=now)
    return end_unstarted(book, run, RunState.CANCELLED, Reason.REPLACED, now=now)


def lapse(book: Book, record: Record, *, now: datetime) -> Change:
    """Expire a run that has not started by its deadline."""
    return end_unstarted(book, record.run, RunState.EXPIRED, Reason.DEADLINE, now=now)
