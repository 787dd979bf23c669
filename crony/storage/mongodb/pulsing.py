"""Progress hooks come due, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.hook import HookKind
from crony.storage import rules
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.ending import leave
from crony.storage.mongodb.records import Pulse, Record


def pulse(book: Book, record: Record, *, now: datetime) -> None:
    """Leave a follow-up for a run whose progress hook has come due."""
    run, beats = record.run, record.keeping.pulse
    if run.started_at is None or run.hook_interval is None or beats is None:
        raise AssertionError(f"{run.id} is to pulse and has nothing that beats")
    number = beats.number + 1
    next_at = rules.next_pulse(run.started_at, run.hook_interval, now=now)
    later = replace(record.keeping, pulse=Pulse(next_at=next_at, number=number))
    book.keep(Record(run, later))
    owed = rules.owed(run, HookKind.PROGRESS, number=number, now=now)
    leave(book.work, owed)
