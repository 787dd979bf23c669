"""What stands in the way of an occurrence, and what of that gives way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from crony.model.run import Run
from crony.model.state import EXECUTING, UNCONFIRMED, Origin, Reason, RunState
from crony.storage.rules.verdicts import stops_for_good

#: What never stands in an occurrence's way.
_BESIDE = (Origin.BACKFILL, Origin.HOOK)


class _Standing(Protocol):
    """A run that stands in the way of another."""

    @property
    def state(self) -> RunState:
        """Its state."""

    @property
    def reason(self) -> Reason | None:
        """Why it is in that."""


_Run = TypeVar("_Run", bound=_Standing)


def by_due(run: Run) -> tuple[datetime, str]:
    """Return the place of a run among those of its schedule: for the earlier first."""
    return (run.due_at, run.id)


def in_the_way(run: Run, others: Iterable[Run]) -> list[Run]:
    """Return the unfinished runs of its schedule that come before it, oldest first."""
    way = [
        other
        for other in others
        if other.schedule == run.schedule
        and other.origin not in _BESIDE
        and (other.state in UNCONFIRMED or other.state in EXECUTING)
        and by_due(other) < by_due(run)
    ]
    return sorted(way, key=by_due)


def giving_way(way: Sequence[_Run], *, limit: int) -> Sequence[_Run]:
    """Return what is to end of that in the way, so that one more run has a place.

    What is being stopped for good ends by itself.
    """
    left = [other for other in way if not stops_for_good(other.state, other.reason)]
    return left[: max(0, len(left) - limit + 1)]
