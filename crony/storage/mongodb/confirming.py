"""Offers become running attempts, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from crony.model.lease import Confirmed, Holding, Standing
from crony.storage import rules
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.records import Lease, Record


def confirm(
    book: Book, worker: str, item: Holding, *, now: datetime, lease_ttl: timedelta
) -> Confirmed:
    """Turn an offer into a running attempt."""
    record = book.known(worker, item.run, item.token)
    if record is None:
        return Confirmed(run=item.run, token=item.token, standing=Standing.UNKNOWN)
    run = record.run
    standing = rules.confirm_standing(
        item.token,
        current=run.token,
        state=run.state,
        deadline_at=run.deadline_at,
        now=now,
    )
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
    running = rules.confirmed(record.run, started_at=max(record.lease.start_at, now))
    lease = prolonged(record.lease, now=now, lease_ttl=lease_ttl)
    return book.put(running, now=now, lease=lease)


def prolonged(lease: Lease, *, now: datetime, lease_ttl: timedelta) -> Lease:
    """Return a lease that goes on from now; its end never moves back."""
    end = rules.lease_end(lease.start_at, now=now, lease_ttl=lease_ttl)
    return replace(lease, expires_at=max(lease.expires_at, end))
