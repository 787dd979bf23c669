"""When a schedule is due, as a client writes it: `cron`, `every` or `at`.

These are values only. What they mean, instant by instant, is worked out by
``crony.triggers``, which also says what is wrong with a trigger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

Gap: TypeAlias = Literal["shift", "skip"]
Fold: TypeAlias = Literal["first", "second", "both"]
Cadence: TypeAlias = Literal["minute", "hour", "day", "week", "month"]


@dataclass(frozen=True, slots=True)
class DstRule:
    """What becomes of wall-clock readings that the zone skips or repeats.

    ``gap`` is about readings that do not exist: ``shift`` moves them to the first
    instant after the gap, ``skip`` drops them. ``fold`` says which pass of a
    repeated reading counts.
    """

    gap: Gap
    fold: Fold


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression on the wall clock of a zone.

    ``dst`` is ``"cron"`` (a fixed time of day shifts out of a gap and fires once
    in a fold, anything else follows the clock as it passes) or an explicit rule.
    """

    expression: str
    timezone: str = "UTC"
    dst: Literal["cron"] | DstRule = "cron"


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed interval from the anchor, or once per cadence of the calendar.

    ``timezone`` bounds the days, weeks and months of a cadence; for an interval it
    only decides how instants are shown.
    """

    interval: timedelta | Cadence
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class At:
    """One instant; ``timezone`` only decides how it is shown."""

    instant: datetime
    timezone: str = "UTC"


Trigger: TypeAlias = Cron | Every | At
