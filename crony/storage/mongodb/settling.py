"""Occurrences become runs, and are taken back, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from crony.model.run import Run
from crony.model.state import UNCONFIRMED, Origin, Reason, RunState
from crony.storage import rules
from crony.storage.codec import instant_out, kept
from crony.storage.contract import Materialisation
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import end_unstarted, stop
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.records import Record


def settle(book: Book, run: Run, *, now: datetime) -> int:
    """Insert a run or take it back; return by how much occurrences grow."""
    after = rules.settled(book.run(run.id), kept(run))
    if after is None:
        return 0
    book.put(after, now=now)
    return after.range_count


def unconfirmed(
    book: Book, schedule: str, where: Filter = MappingProxyType({})
) -> list[Record]:
    """Return the pending and leased runs of a schedule that say this."""
    mine = {"schedule": schedule, **where}
    return [
        *waiting(book, mine),
        *held(book, {**mine, "state": RunState.LEASED.value}),
    ]


def waiting(book: Book, where: Filter) -> list[Record]:
    """Return the pending runs of a schedule that say this."""
    return book.find({**where, "untried": {"$gte": False}}, index="pending")


def held(book: Book, where: Filter) -> list[Record]:
    """Return the runs of a schedule that say this and are in workers' hands."""
    return book.find({**where, "holder": {"$gt": ""}}, index="held_of_schedule")


def withdraw(book: Book, schedule: str, *, now: datetime) -> int:
    """Withdraw what is still to come; return by how much occurrences shrink."""
    count = 0
    # Of a long backlog nothing else is read.
    ahead = {
        "origin": Origin.SCHEDULE.value,
        "scheduled_for": {"$gt": instant_out(now)},
    }
    for record in unconfirmed(book, schedule, ahead):
        if rules.is_ahead(record.run, now=now):
            offered = rules.without_offer(record.run)
            withdrawn = replace(offered, state=RunState.WITHDRAWN, reason=None)
            book.put(withdrawn, now=now)
            count += record.run.range_count
    return count


def strike(book: Book, run: Run, *, cancel_running: bool, now: datetime) -> None:
    """Cancel a run of a schedule that is deleted."""
    if run.state in UNCONFIRMED:
        end_unstarted(book, run, RunState.CANCELLED, Reason.DELETED, now=now)
    elif run.state is RunState.RUNNING and cancel_running:
        stop(book, run, Reason.DELETED, now=now)


def materialise(book: Book, item: Materialisation, *, now: datetime) -> bool:
    """Insert an item's runs and move its schedule's cursor, if it counts."""
    schedule = book.schedules.get(item.schedule)
    if schedule is None or not rules.advances(schedule, item):
        return False
    count = sum(settle(book, run, now=now) for run in item.runs)
    moved = rules.advanced(schedule, item, grown=count)
    book.schedules.move(moved, limit=item.limit, now=now)
    return True
