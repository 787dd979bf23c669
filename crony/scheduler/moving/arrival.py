"""What a run becomes on its way into another store.

No worker has it there: what was in one's hands is pending again, or has ended as it
would have when its worker had vanished at the instant of the export. Everything here
follows from the export alone, so that the same export makes the same again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.hook import FollowUp
from crony.model.moving import MovedRun
from crony.model.run import Run
from crony.model.state import EXECUTING, HELD, AttemptState, RunState
from crony.storage import rules

#: By how much the token of a run grows that goes on here: nobody was ever given such
#: a token there, and no report of one that was is about what runs here.
STEP = 1_000_000


def arrived(moved: MovedRun, *, deleted: bool, at: datetime) -> MovedRun:
    """Return a run as it is to be stored; ``at`` is the instant of its export.

    ``deleted``: its schedule is gone, so that nothing of it starts again.
    """
    run = moved.run
    if run.over:
        return moved
    owed = moved.follow_ups
    if run.state in EXECUTING:
        run = rules.lost(run, deleted=deleted, now=at)
        owed += _owed(run, at=at)
    elif run.state in HELD:
        # An offer is no attempt yet.
        run = replace(
            run,
            state=RunState.PENDING,
            attempt=run.attempt - 1,
            attempts=run.attempts[:-1],
        )
    if not run.over:
        run = replace(run, token=run.token + STEP)
    return replace(moved, run=run, follow_ups=owed)


def _owed(run: Run, *, at: datetime) -> tuple[FollowUp, ...]:
    """Return the hook that is owed after the loss, if one is."""
    kind = rules.follow_up(run.hooks, AttemptState.LOST, run.state)
    if kind is None:
        return ()
    return (
        FollowUp(
            tenant=run.tenant,
            schedule=run.schedule,
            run=run.id,
            attempt=run.attempt,
            kind=kind,
            number=1,
            at=at,
        ),
    )
