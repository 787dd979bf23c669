"""Runs are taken back, stopped and ended, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.hook import FollowUp
from crony.model.lease import Change, Loss
from crony.model.run import Run
from crony.model.state import Reason, RunState
from crony.storage import rules
from crony.storage.codec import cut
from crony.storage.documents import document_out
from crony.storage.mongodb import faulting, kinds
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.work import Work


def take_offer(book: Book, run: Run, *, now: datetime) -> None:
    """Make a leased run pending again."""
    book.put(replace(rules.without_offer(run), state=RunState.PENDING), now=now)


def end_unstarted(
    book: Book, run: Run, state: RunState, reason: Reason, *, now: datetime
) -> Change:
    """End a run that is pending or leased."""
    changed = _change(book, run, state, reason)
    ended = replace(
        rules.without_offer(run), state=state, reason=reason, finished_at=cut(now)
    )
    book.put(ended, now=now)
    return changed


def stop(book: Book, run: Run, reason: Reason, *, now: datetime) -> Change:
    """Let an executing run stop for this reason from now on."""
    changed = _change(book, run, RunState.STOPPING, reason)
    book.put(replace(run, state=RunState.STOPPING, reason=reason), now=now)
    return changed


def _change(book: Book, run: Run, state: RunState, reason: Reason) -> Change:
    lease = book.keeping(run).lease
    worker = None if lease is None else lease.worker
    return Change(run.id, run.schedule, run.tenant, worker, state, reason)


def lose(book: Book, run: Run, *, now: datetime) -> Loss:
    """End a running or stopping run's attempt as lost."""
    lease = book.keeping(run).lease
    if lease is None:
        raise AssertionError(f"{run.id} is lost and has no lease")
    deleted = book.schedules.get(run.schedule) is None
    after = rules.lost(run, deleted=deleted, now=now)
    book.put(after, now=now)
    faulting.note(book.work, after, after.attempts[-1], says=None)
    owe(book, after, now=now)
    return Loss(run.id, run.schedule, run.tenant, lease.worker, run.token, after.state)


def owe(book: Book, run: Run, *, now: datetime) -> None:
    """Leave the hook that is owed when the newest attempt has ended."""
    kind = rules.follow_up(run.hooks, run.attempts[-1].state, run.state)
    if kind is not None:
        leave(book.work, rules.owed(run, kind, number=1, now=now))


def leave(work: Work, owed: FollowUp) -> None:
    """Leave a hook that is owed."""
    work.get(kinds.FOLLOW_UPS, name_of(owed))
    work.put(kinds.FOLLOW_UPS, name_of(owed), document_out(owed))


def name_of(owed: FollowUp) -> str:
    """Return what a follow-up is known by."""
    return f"{owed.run}/{owed.attempt}/{owed.kind.value}/{owed.number}"
