"""When a schedule is due next."""

from __future__ import annotations

from datetime import UTC, datetime

from crony import wire
from crony.cli import answers
from crony.model.task import JsonObject

#: Runs that were made ahead of their instant, and wait for it.
_AHEAD = ("pending", "leased")


def following(schedule: JsonObject, now: datetime | None = None) -> str:
    """Return the next instant of a schedule as the wire has it, or nothing.

    ``next_run_at`` lies behind the occurrences whose runs were made already, a few
    seconds ahead: for whoever reads a list, the first of those is next.
    """
    now = now or datetime.now(UTC)
    ahead = [
        answers.text(run, "scheduled_for")
        for run in answers.members(schedule, "recent_runs")
        if answers.text(run, "origin") == "schedule"
        and answers.text(run, "state") in _AHEAD
    ]
    instants = [text for text in ahead if wire.parse_instant(text) > now]
    cursor = answers.text(schedule, "next_run_at")
    # All are in UTC with milliseconds, so their order is that of their text.
    return min([*instants, cursor] if cursor else instants, default="")
