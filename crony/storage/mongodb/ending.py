"""Runs are taken back, stopped and ended, in MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.hook import FollowUp, HookKind
from crony.model.lease import Change, Loss
from crony.model.run import Run
from crony.model.state import AttemptState, Reason, RunState
from crony.storage import rules
from crony.storage.codec import cut
from crony.storage.documents import document_out
from crony.storage.mongodb import faulting, kinds
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.work import Work

#: What may be taken back: no worker has begun with it.
UNCONFIRMED = (RunState.PENDING, RunState.LEASED)


def without_offer(run: Run) -> Run:
    """Return a run without the attempt that was offered and never confirmed."""
    if run.state is not RunState.LEASED:
        return run
    return replace(run, attempt=run.attempt - 1, attempts=run.attempts[:-1])


def take_offer(book: Book, run: Run, *, now: datetime) -> None:
    """Make a leased run pending again."""
    book.put(replace(without_offer(run), state=RunState.PENDING), now=now)


def end_unstarted(
    book: Book, run: Run, state: RunState, reason: Reason, *, now: datetime
) -> Change:
    """End a run that is pending or leased."""
    changed = _change(book, run, state, reason)
    ended = replace(
        without_offer(run), state=state, reason=reason, finished_at=cut(now)
    )
    book.put(ended, now=now)
    return changed


def stop(book: Book, run: Run, reason: Reason, *, now: datetime) -> Change:
    """Let an executing run stop for this reason from now on."""
    changed = _change(book, run, RunState.STOPPING, reason)
    book.put(replace(run, state=RunState.STOPPING, reason=reason), now=now)
    return changed


def stops_for_good(run: Run) -> bool:
    """Return whether a run is being stopped, and will not go on elsewhere."""
    return run.state is RunState.STOPPING and run.reason is not Reason.PREEMPTED


def _change(book: Book, run: Run, state: RunState, reason: Reason) -> Change:
    lease = book.keeping(run).lease
    worker = None if lease is None else lease.worker
    return Change(run.id, run.schedule, run.tenant, worker, state, reason)


def lose(book: Book, run: Run, *, now: datetime) -> Loss:
    """End a running or stopping run's attempt as lost."""
    lease = book.keeping(run).lease
    if lease is None:
        raise AssertionError(f"{run.id} is lost and has no lease")
    lost = run.lost + 1
    verdict = rules.loss_verdict(
        run.state,
        run.reason,
        lost=lost,
        max_lost=run.max_lost,
        deleted=book.schedule(run.schedule) is None,
        now=now,
    )
    over = verdict.retry_at is None
    attempt = replace(
        run.attempts[-1],
        state=AttemptState.LOST,
        reason=Reason.LOST,
        finished_at=now,
    )
    after = replace(
        run,
        state=verdict.state,
        reason=verdict.reason,
        lost=lost,
        available_at=verdict.retry_at or run.available_at,
        finished_at=now if over else None,
        attempts=(*run.attempts[:-1], attempt),
    )
    book.put(after, now=now)
    faulting.note(book.work, after, attempt, says=None)
    owe(book, after, AttemptState.LOST, now=now)
    return Loss(run.id, run.schedule, run.tenant, lease.worker, run.token, after.state)


def owe(book: Book, run: Run, ended: AttemptState, *, now: datetime) -> None:
    """Leave the hook that is owed when the newest attempt has ended so."""
    kind = rules.follow_up(run.hooks, ended, run.state)
    if kind is not None:
        leave(book.work, run, kind, number=1, now=now)


def leave(work: Work, run: Run, kind: HookKind, *, number: int, now: datetime) -> None:
    """Leave a follow-up of the run's newest attempt."""
    owed = FollowUp(
        tenant=run.tenant,
        schedule=run.schedule,
        run=run.id,
        attempt=run.attempt,
        kind=kind,
        number=number,
        at=cut(now),
    )
    work.get(kinds.FOLLOW_UPS, name_of(owed))
    work.put(kinds.FOLLOW_UPS, name_of(owed), document_out(owed))


def name_of(owed: FollowUp) -> str:
    """Return what a follow-up is known by."""
    return f"{owed.run}/{owed.attempt}/{owed.kind.value}/{owed.number}"
