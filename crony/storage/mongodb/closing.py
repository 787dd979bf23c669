"""Attempts end as their workers report, in MongoDB."""

from __future__ import annotations

from datetime import datetime

from crony.model.hook import HookKind
from crony.model.lease import Closed, Closing, Standing
from crony.model.run import Run
from crony.storage import rules
from crony.storage.mongodb import faulting, telling
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import owe
from crony.storage.mongodb.records import Record, Said


def close(book: Book, worker: str, item: Closing, *, now: datetime) -> Closed:
    """Answer a report; end the attempt if it counts."""
    record = book.known(worker, item.run, item.token)
    if record is None:
        return Closed(item.run, item.token, Standing.UNKNOWN, None)
    run = record.run
    attempt = run.attempt_under(item.token)
    standing = rules.report_standing(
        item,
        current=run.token,
        state=run.state,
        was=None if attempt is None else attempt.state,
    )
    if standing is Standing.ACCEPTED:
        run = _closed(book, record, item, now=now)
        _hear(book, run, item, now=now)
    return Closed(item.run, item.token, standing, run.state)


def _closed(book: Book, record: Record, item: Closing, *, now: datetime) -> Run:
    """End the attempt, and let the run follow."""
    run = record.run
    deleted = book.schedules.get(run.schedule) is None
    after = rules.closed(run, item, deleted=deleted, now=now)
    says = item.says if run.hook is not None and run.parent is not None else None
    of_error = run.hook is HookKind.ERROR
    said = (Said(token=item.token, text=says),) if says and of_error else ()
    book.put(after, now=now, says=(*record.keeping.says, *said))
    faulting.note(book.work, after, after.attempts[-1], says=says)
    owe(book, after, now=now)
    return after


def _hear(book: Book, run: Run, item: Closing, *, now: datetime) -> None:
    """Keep what a hook said of the run that it follows."""
    entry = rules.heard(run, item)
    if entry is not None:
        telling.note_progress(book, run.schedule, entry, now=now)
