"""Offers become running attempts, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crony.model.lease import Confirmed, Holding, Standing
from crony.model.run import Run
from crony.model.state import AttemptState, RunState
from crony.storage import rules
from crony.storage.codec import cut
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.records import Lease, Record

#: What a run says of its newest attempt's end, before that has come.
_NOTHING_ENDED: dict[str, Any] = {
    "reason": None,
    "lateness": None,
    "duration": None,
    "exit_code": None,
    "signal": None,
    "error": None,
}


def confirm(
    book: Book, worker: str, item: Holding, *, now: datetime, lease_ttl: timedelta
) -> Confirmed:
    """Turn an offer into a running attempt."""
    record = book.known(worker, item.run, item.token)
    if record is None:
        return Confirmed(run=item.run, token=item.token, standing=Standing.UNKNOWN)
    run = record.run
    standing = rules.standing(
        item.token, current=run.token, state=run.state, counts={RunState.LEASED}
    )
    if run.state is RunState.RUNNING and run.token == item.token:
        standing = Standing.REPEATED
    if standing is Standing.ACCEPTED and _too_late(run, now):
        standing = Standing.OVER
    if standing is Standing.ACCEPTED:
        record = _begin(book, record, now=now, lease_ttl=lease_ttl)
    counted = standing in (Standing.ACCEPTED, Standing.REPEATED)
    live = record.lease if counted else None
    return Confirmed(
        run=item.run,
        token=item.token,
        standing=standing,
        state=record.run.state,
        start_at=live.start_at if live else None,
        expires_at=live.expires_at if live else None,
    )


def _begin(
    book: Book, record: Record, *, now: datetime, lease_ttl: timedelta
) -> Record:
    """Make a leased run running."""
    run, lease = record.run, record.lease
    begins = max(lease.start_at, now)
    ends = max(lease.expires_at, lease_end(lease, now, lease_ttl))
    attempt = replace(run.attempts[-1], state=AttemptState.RUNNING, started_at=begins)
    running = replace(
        run,
        state=RunState.RUNNING,
        started_at=begins,
        overlap=None,
        attempts=(*run.attempts[:-1], attempt),
        **_NOTHING_ENDED,
    )
    return book.put(running, now=now, lease=replace(lease, expires_at=ends))


def _too_late(run: Run, now: datetime) -> bool:
    return run.deadline_at is not None and run.deadline_at <= now


def lease_end(lease: Lease, now: datetime, lease_ttl: timedelta) -> datetime:
    """Return one lease time after the attempt starts, or after now."""
    return cut(max(cut(now), lease.start_at) + lease_ttl)
