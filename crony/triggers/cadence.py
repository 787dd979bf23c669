"""Cadence words: once a minute, hour, day, week or month, at an instant of one's own.

The instant within the cadence is drawn from SHA-256 of the schedule's identity:
it never changes, every node finds the same, and many schedules spread evenly.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from crony.model.trigger import Cadence
from crony.triggers.calendar import Calendar, DayFields, DaysOfMonth, DaysOfWeek
from crony.triggers.occurrences import DAY
from crony.triggers.pattern import Pattern

# A month counts as its first 28 days: every month has those.
LENGTHS: Final[dict[Cadence, int]] = {
    "minute": 60,
    "hour": 3600,
    "day": DAY,
    "week": 7 * DAY,
    "month": 28 * DAY,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A place within a cadence; a week begins on Sunday, a month on day 1."""

    day: int
    hour: int
    minute: int
    second: int


def assigned_moment(cadence: Cadence, *, identity: str) -> Moment:
    """Return the moment within a cadence that an identity is given."""
    digest = hashlib.sha256(identity.encode()).digest()
    place = int.from_bytes(digest[:8], "big") % LENGTHS[cadence]
    day, rest = divmod(place, DAY)
    hour, rest = divmod(rest, 3600)
    return Moment(day, hour, *divmod(rest, 60))


def cadence_pattern(cadence: Cadence, moment: Moment) -> Pattern:
    """Return the wall readings of one moment in every cadence."""
    every_hour = cadence in ("minute", "hour")
    return Pattern(
        Calendar(_days(cadence, moment.day)),
        hours=range(24) if every_hour else (moment.hour,),
        minutes=range(60) if cadence == "minute" else (moment.minute,),
        seconds=(moment.second,),
    )


def _days(cadence: Cadence, day: int) -> DayFields:
    if cadence == "week":
        return DayFields(of_week=DaysOfWeek(frozenset({day}), starred=False))
    if cadence == "month":
        chosen = frozenset({day + 1})
        return DayFields(of_month=DaysOfMonth(chosen, starred=False))
    return DayFields()
