"""The lines of schedules' errors: each is kept by itself when its attempt ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.model.run import Attempt, ErrorEntry, Run
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import kinds
from crony.storage.mongodb.work import Work, id_of

_NEWEST = [("at", -1), ("of_run", -1), ("number", -1)]


def note(work: Work, run: Run, attempt: Attempt, *, says: str | None) -> None:
    """Keep the line of an attempt that ends now, if there is one."""
    line = _line(run, attempt, says=says)
    if line is not None:
        work.insert(kinds.FAULTS, _name(run, attempt), line)


def restore(work: Work, run: Run, says: Mapping[int, str]) -> None:
    """Keep the lines of a run's attempts, in the place of those that are there."""
    for found in work.find(kinds.FAULTS, {"of_run": run.id}):
        work.delete(kinds.FAULTS, id_of(found))
    lines = {
        _name(run, attempt): line
        for attempt in run.attempts
        if (line := _line(run, attempt, says=says.get(attempt.token))) is not None
    }
    work.get_all(kinds.FAULTS, lines)
    for name, line in lines.items():
        work.put(kinds.FAULTS, name, line)


def _name(run: Run, attempt: Attempt) -> str:
    return f"{run.id}/{attempt.token}"


def _line(run: Run, attempt: Attempt, *, says: str | None) -> Document | None:
    entry = rules.fault(run, attempt, says=says)
    if entry is None or attempt.finished_at is None:
        return None
    return {
        **document_out(entry),
        "at": instant_out(attempt.finished_at),
        "schedule": run.schedule,
        "of_run": run.id,
        "number": attempt.number,
    }


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
