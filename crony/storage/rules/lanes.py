"""What a run asks of a worker, and which of those that ask the same has its turn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from crony.model import policy
from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.state import Origin

#: From the weakest to the strongest.
SANDBOX_LEVELS = ("none", "landlock", "namespaces", "full")


@dataclass(frozen=True, slots=True)
class Lane:
    """What a run asks of a worker, the same for many runs."""

    tenant: str
    queue: str
    requires: tuple[tuple[str, str], ...]
    level: int
    #: Runs of a group that is full never hold up those of others. A hook's run,
    #: which no limit holds up, has none.
    group: str = ""


def lane_of(run: Run, definition: Definition) -> Lane:
    """Return the lane of a run that executes this definition."""
    return Lane(
        run.tenant,
        run.queue,
        tuple(sorted(definition.requires.items())),
        rank(run.policy.sandbox.level),
        "" if run.origin is Origin.HOOK else run.group,
    )


def rank(level: str) -> int:
    """Return how strong a sandbox level is; an unknown one counts as none."""
    return SANDBOX_LEVELS.index(level) if level in SANDBOX_LEVELS else 0


def satisfied(
    lane: Lane, *, queues: Collection[str], labels: Mapping[str, str], level: str
) -> bool:
    """Return whether a worker with these may execute what is in the lane."""
    return (
        lane.queue in queues
        and rank(level) >= lane.level
        and carries(labels, lane.requires)
    )


def carries(labels: Mapping[str, str], requires: Collection[tuple[str, str]]) -> bool:
    """Return whether each required label is there with that value."""
    return all(labels.get(name) == value for name, value in requires)


def turn(run: Run) -> datetime:
    """Return the instant by which a run comes before all that is due from then on.

    It is the deadline of the earliest-deadline-first order (Liu and Layland, 1973);
    who has none gets one, for else those who have could keep it waiting for ever.
    """
    if run.catch_up:
        return run.created_at + policy.CATCH_UP_TURN
    latest = run.due_at + policy.TURN
    return latest if run.deadline_at is None else min(run.deadline_at, latest)
