"""Attempts end as their workers report, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from crony.model.hook import HookKind
from crony.model.lease import Closed, Closing, Standing
from crony.model.run import Attempt, Run
from crony.model.state import HELD, TERMINAL, AttemptState
from crony.storage import rules
from crony.storage.codec import kept
from crony.storage.mongodb import faulting, telling
from crony.storage.mongodb.book import Book, attempt_of
from crony.storage.mongodb.ending import owe
from crony.storage.mongodb.records import Record, Said

_FAILURES = (AttemptState.FAILED, AttemptState.TIMED_OUT)


def close(book: Book, worker: str, item: Closing, *, now: datetime) -> Closed:
    """Answer a report; end the attempt if it counts."""
    record = book.known(worker, item.run, item.token)
    if record is None:
        return Closed(item.run, item.token, Standing.UNKNOWN, None)
    run = record.run
    attempt = attempt_of(run, item.token)
    live = run.state in HELD and run.token == item.token
    standing = (
        rules.closed_before(attempt.state, item) if attempt and not live else None
    ) or rules.standing(
        item.token,
        current=run.token,
        state=run.state,
        counts=rules.report_counts(item),
    )
    if standing is Standing.ACCEPTED and attempt is not None:
        run = _closed(book, record, attempt, item, now=now)
        _hear(book, run, item, now=now)
    return Closed(item.run, item.token, standing, run.state)


def _closed(
    book: Book, record: Record, attempt: Attempt, item: Closing, *, now: datetime
) -> Run:
    """End the attempt, and let the run follow."""
    run = record.run
    verdict = rules.closing_verdict(
        run.state,
        run.reason,
        item,
        deleted=book.schedule(run.schedule) is None,
        now=now,
        deadline_at=run.deadline_at,
    )
    over = verdict.state in TERMINAL
    state = rules.ended_as(run.state, run.reason, item.state)
    outcome: dict[str, Any] = {
        "reason": item.reason,
        "finished_at": item.finished_at,
        "lateness": item.lateness,
        "duration": item.duration,
        "exit_code": item.exit_code,
        "signal": item.signal,
        "error": item.error,
    }
    ended = replace(
        attempt,
        state=state,
        sandbox_level=item.sandbox_level,
        limits=item.limits,
        usage=item.usage,
        **outcome,
    )
    after = replace(
        run,
        **outcome
        | {
            "state": verdict.state,
            "reason": verdict.reason,
            "finished_at": item.finished_at if over else None,
            "result": item.result if over else None,
            "available_at": kept(verdict.retry_at) or run.available_at,
            "failures": run.failures + (state in _FAILURES),
            "attempts": (*run.attempts[:-1], ended),
        },
    )
    says = item.says if run.hook is not None and run.parent is not None else None
    of_error = run.hook is HookKind.ERROR
    said = (Said(token=item.token, text=says),) if says and of_error else ()
    book.put(after, now=now, says=(*record.keeping.says, *said))
    faulting.note(book.work, after, ended, says=says)
    owe(book, after, state, now=now)
    return after


def _hear(book: Book, run: Run, item: Closing, *, now: datetime) -> None:
    """Keep what a hook said of the run that it follows."""
    if run.hook is None or run.parent is None:
        return
    entry = rules.hook_progress(
        run.parent,
        run.hook_attempt or 0,
        kind=run.hook,
        at=item.finished_at,
        says=item.says,
    )
    if entry is not None:
        telling.note_progress(book, run.schedule, entry, now=now)
