"""The lines of schedules' errors: each is kept by itself when its attempt ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.model.run import Attempt, ErrorEntry, Run
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.documents import document_in, document_out
from crony.storage.mongodb import kinds
from crony.storage.mongodb.work import Work

_NEWEST = [("at", -1), ("of_run", -1), ("number", -1)]


def note(work: Work, run: Run, attempt: Attempt, *, says: str | None) -> None:
    """Keep the line of an attempt that has ended, if there is one."""
    entry = _entry(run, attempt, says=says)
    if entry is None or attempt.finished_at is None:
        return
    document = {
        **document_out(entry),
        "at": instant_out(attempt.finished_at),
        "schedule": run.schedule,
        "of_run": run.id,
        "number": attempt.number,
    }
    work.insert(kinds.FAULTS, f"{run.id}/{attempt.token}", document)


def _entry(run: Run, attempt: Attempt, *, says: str | None) -> ErrorEntry | None:
    """Return the line for the schedule's errors, if there is one."""
    if attempt.finished_at is None:
        return None
    if run.hook is not None and run.parent is not None:
        return rules.hook_error(
            run.parent,
            run.hook_attempt or 0,
            kind=run.hook,
            state=attempt.state,
            reason=attempt.reason,
            at=attempt.finished_at,
            error=attempt.error,
            says=says,
        )
    if attempt.state not in rules.FAULTS:
        return None
    return rules.error_entry(
        run.id,
        attempt.number,
        state=attempt.state,
        reason=attempt.reason,
        at=attempt.finished_at,
        error=attempt.error,
    )


def newest(
    work: Work, schedules: Sequence[str], *, limit: int
) -> Mapping[str, Sequence[ErrorEntry]]:
    """Return the newest lines of each schedule that has any."""
    found = work.find_each(
        kinds.FAULTS,
        "schedule",
        schedules,
        {"at": {"$exists": True}},
        sort=_NEWEST,
        limit=limit,
    )
    return {
        schedule: [document_in(ErrorEntry, line) for line in lines]
        for schedule, lines in found.items()
        if lines
    }


def forget(work: Work, runs: Sequence[str]) -> None:
    """Remove the lines of runs."""
    work.sweep(kinds.FAULTS, {"of_run": {"$in": list(runs)}})
