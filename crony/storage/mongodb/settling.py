"""Occurrences become runs, and are taken back, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.run import Run
from crony.model.state import Origin, Reason, RunState, ScheduleState
from crony.storage.codec import cut, kept
from crony.storage.contract import Materialisation
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import (
    UNCONFIRMED,
    end_unstarted,
    stop,
    without_offer,
)
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.records import Record


def settle(book: Book, run: Run, *, now: datetime) -> int:
    """Insert a run or take it back; return by how much occurrences grow."""
    run = kept(run)
    before = book.run(run.id)
    if before is None:
        book.put(replace(run, attempts=()), now=now)
        return run.range_count
    if before.state is not RunState.WITHDRAWN:
        return 0
    back = replace(
        before,
        state=run.state,
        reason=run.reason,
        revision=run.revision,
        schedule_name=run.schedule_name,
        group=run.group,
        policy=run.policy,
        due_at=run.due_at,
        available_at=run.available_at,
        catch_up=run.catch_up,
        deadline_at=run.deadline_at,
        overlap=run.overlap,
        hooks=run.hooks,
        hook_interval=run.hook_interval,
        range_until=run.range_until,
        range_count=run.range_count,
        queue=run.queue,
        priority=run.priority,
        max_lost=run.max_lost,
        finished_at=run.finished_at,
    )
    book.put(back, now=now)
    return run.range_count


def unconfirmed(book: Book, schedule: str) -> list[Record]:
    """Return the pending and leased runs of a schedule."""
    return [
        *waiting(book, {"schedule": schedule}),
        *held(book, {"schedule": schedule, "state": RunState.LEASED.value}),
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
    for record in unconfirmed(book, schedule):
        if record.run.origin is Origin.SCHEDULE and record.run.scheduled_for > now:
            withdrawn = without_offer(record.run)
            book.put(replace(withdrawn, state=RunState.WITHDRAWN, reason=None), now=now)
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
    stored = book.stored(item.schedule)
    schedule = None if stored is None else stored.schedule
    if (
        stored is None
        or schedule is None
        or schedule.tenant != item.tenant
        or schedule.state is not ScheduleState.ACTIVE
        or (schedule.revision, schedule.cursor) != (item.revision, cut(item.cursor))
    ):
        return False
    count = sum(settle(book, run, now=now) for run in item.runs)
    finished = item.next_cursor is None
    moved = replace(
        schedule,
        cursor=kept(item.next_cursor),
        state=ScheduleState.FINISHED if finished else schedule.state,
        occurrences=schedule.occurrences + count,
    )
    limit = stored.limit if item.limit is None else item.limit
    book.move(moved, limit=limit, now=now)
    return True
