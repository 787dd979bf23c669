"""What a schedule's ``errors`` and ``progress`` say."""

from __future__ import annotations

from datetime import datetime

from crony.model import spoken
from crony.model.hook import HookKind
from crony.model.lease import Closing
from crony.model.run import Attempt, ErrorEntry, Progress, Run
from crony.model.state import FAILURES, AttemptState, Reason

#: How many progress entries of a schedule are kept.
PROGRESS_KEPT = 20

#: An error's text in a schedule's list is cut to so many bytes.
ERROR_TEXT = 4096

#: The attempts that a schedule's list of errors shows.
FAULTS = FAILURES | {AttemptState.LOST}


def fault(run: Run, attempt: Attempt, *, says: str | None) -> ErrorEntry | None:
    """Return the line for a schedule's errors of an attempt, if there is one.

    ``says`` is what it said, if it is an error hook's.
    """
    if attempt.finished_at is None:
        return None
    if run.hook is not None and run.parent is not None:
        return hook_error(
            run.parent,
            run.hook_attempt or 0,
            kind=run.hook,
            state=attempt.state,
            reason=attempt.reason,
            at=attempt.finished_at,
            error=attempt.error,
            says=says,
        )
    if attempt.state not in FAULTS:
        return None
    return error_entry(
        run.id,
        attempt.number,
        state=attempt.state,
        reason=attempt.reason,
        at=attempt.finished_at,
        error=attempt.error,
    )


def error_entry(
    run: str,
    attempt: int,
    *,
    state: AttemptState,
    reason: Reason | None,
    at: datetime,
    error: str | None,
) -> ErrorEntry:
    """Return the line for a schedule's errors."""
    by_worker = state is AttemptState.LOST or reason is Reason.START_FAILED
    text, truncated = _bounded(error or "")
    return ErrorEntry(
        run=run,
        attempt=attempt,
        source="worker" if by_worker else "task",
        at=at,
        reason=reason,
        text=text,
        truncated=truncated,
    )


def hook_error(
    parent: str,
    attempt: int,
    *,
    kind: HookKind,
    state: AttemptState,
    reason: Reason | None,
    at: datetime,
    error: str | None,
    says: str | None,
) -> ErrorEntry | None:
    """Return the line for a schedule's errors of a hook's attempt, if there is one.

    ``parent`` and ``attempt`` are what the hook followed.
    """
    said = says if kind is HookKind.ERROR else None
    if state not in FAULTS and not said:
        return None
    text, truncated = _bounded(said or error or "")
    return ErrorEntry(
        run=parent,
        attempt=attempt,
        source="hook",
        at=at,
        reason=reason,
        text=text,
        truncated=truncated,
    )


def heard(run: Run, item: Closing) -> Progress | None:
    """Return the progress entry that is in the report of a hook, if there is one."""
    if run.hook is None or run.parent is None:
        return None
    return hook_progress(
        run.parent,
        run.hook_attempt or 0,
        kind=run.hook,
        at=item.finished_at,
        says=item.says,
    )


def hook_progress(
    parent: str, attempt: int, *, kind: HookKind, at: datetime, says: str | None
) -> Progress | None:
    """Return the progress entry that a hook's words are, if they are one."""
    if kind is HookKind.ERROR or not says:
        return None
    said = spoken.of_text(says)
    message, _ = _bounded(said.message)
    return Progress(
        run=parent,
        attempt=attempt,
        source="hook",
        at=at,
        percent=said.percent,
        message=message,
    )


def _bounded(text: str) -> tuple[str, bool]:
    """Return the text, cut if it is too long, and whether it was."""
    raw = text.encode()
    return raw[:ERROR_TEXT].decode(errors="ignore"), len(raw) > ERROR_TEXT
