"""How many there are, by state: kept in the tenant's head, and never counted."""

from __future__ import annotations

from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import HELD, RunState
from crony.storage.mongodb import places, records
from crony.storage.mongodb.work import Work

SCHEDULES = "schedules/"
RUNS = "runs/"

#: A run in one of these is neither over nor withdrawn.
_LIVE = frozenset({RunState.PENDING, *HELD})


def of_run(work: Work, before: Run | None, after: Run | None) -> None:
    """Count a run that changes, comes or goes."""
    for run, one in ((before, -1), (after, 1)):
        if run is not None and run.state in _LIVE:
            work.add(f"{RUNS}{run.state.value}/{run.queue}", one)
        if run is not None and records.counts(run):
            places.count(work, run.group, one)


def of_schedule(work: Work, before: Schedule | None, after: Schedule | None) -> None:
    """Count a schedule that changes, comes or goes."""
    for schedule, one in ((before, -1), (after, 1)):
        if schedule is not None:
            work.add(f"{SCHEDULES}{schedule.state.value}", one)


def schedules(work: Work) -> int:
    """Return how many schedules the tenant has."""
    return sum(work.numbers(SCHEDULES).values())


def pending(work: Work) -> int:
    """Return how many runs are pending."""
    return sum(work.numbers(f"{RUNS}{RunState.PENDING.value}/").values())


def live(work: Work) -> int:
    """Return how many runs are neither over nor withdrawn."""
    return sum(work.numbers(RUNS).values())
