"""How far runs are: the newest words of each, and of each schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from crony.model.run import Progress
from crony.storage import rules
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import kinds
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.records import Record
from crony.storage.mongodb.work import Work, id_of


def note_progress(book: Book, schedule: str, entry: Progress, *, now: datetime) -> None:
    """Keep an entry for a schedule, and for its run while that is not over."""
    if book.schedules.get(schedule) is not None:
        found = book.work.get(kinds.PROGRESS, schedule)
        before = [] if found is None else _entries(found)
        kept = [document_out(entry), *before][: rules.PROGRESS_KEPT]
        put(book.work, schedule, kept)
    record = book.record(entry.run)
    if record is not None and not record.run.over:
        run = replace(record.run, progress=entry)
        book.keep(Record(run, record.keeping))
        book.tell_run("progress", run, now=now)


def put(work: Work, schedule: str, entries: Sequence[Document]) -> None:
    """Keep the entries of a schedule, newest first; they were read before."""
    document: Document = {"schedule": schedule, "entries": list(entries)}
    work.put(kinds.PROGRESS, schedule, document)


def restore(work: Work, schedule: str, entries: Sequence[Document]) -> None:
    """Keep the entries of a schedule in the place of those that are there."""
    known = work.get(kinds.PROGRESS, schedule)
    if entries:
        put(work, schedule, entries)
    elif known is not None:
        work.delete(kinds.PROGRESS, schedule)


def _entries(document: Document) -> list[Document]:
    return cast("list[Document]", document["entries"])


def newest(
    work: Work, schedules: Sequence[str], *, limit: int
) -> Mapping[str, Sequence[Progress]]:
    """Return the newest entries of each schedule that has any."""
    found = work.get_all(kinds.PROGRESS, schedules)
    return {
        id_of(document): [
            document_in(Progress, entry) for entry in _entries(document)[:limit]
        ]
        for document in found.values()
    }
