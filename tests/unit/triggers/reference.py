"""What a cron expression means, worked out the slow way: look at every moment.

Nothing here comes from the code under test. A clock is walked second by second or
minute by minute with ``zoneinfo``, and each reading is compared with plain sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

from crony.model.trigger import Cron, DstRule
from crony.triggers import Occurrences, compile_trigger

ANCHOR = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = 3600
DAY = 24 * HOUR


def occurrences_of(
    expression: str, timezone: str = "UTC", dst: str | DstRule = "cron"
) -> Occurrences:
    """Compile an expression for an owner who does not matter."""
    rule = dst if isinstance(dst, DstRule) else "cron"
    return compile_trigger(
        Cron(expression, timezone, rule), identity="tenant/name", anchor=ANCHOR
    )


@dataclass(frozen=True)
class Fields:
    """An expression as sets; ``None`` is a star, which also has its text."""

    minutes: frozenset[int] | None = None
    hours: frozenset[int] | None = None
    days: frozenset[int] | None = None
    months: frozenset[int] | None = None
    weekdays: frozenset[int] | None = None
    seconds: frozenset[int] | None = field(default=frozenset({0}))

    def text(self) -> str:
        """Write the expression that means these sets."""
        parts = [
            "*" if values is None else ",".join(map(str, sorted(values)))
            for values in (
                self.seconds,
                self.minutes,
                self.hours,
                self.days,
                self.months,
                self.weekdays,
            )
        ]
        return " ".join(parts[1:] if self.seconds == {0} else parts)

    def rule(self) -> DstRule:
        """Return what ``"cron"`` means for this expression."""
        if self.minutes is None or self.hours is None:
            return DstRule("skip", "both")
        return DstRule("shift", "first")

    def match(self, wall: datetime) -> bool:
        """Compare one reading of the wall clock with the sets."""
        in_time = (
            (self.seconds is None or wall.second in self.seconds)
            and (self.minutes is None or wall.minute in self.minutes)
            and (self.hours is None or wall.hour in self.hours)
            and (self.months is None or wall.month in self.months)
        )
        return in_time and self._match_day(wall)

    def _match_day(self, wall: datetime) -> bool:
        weekday = wall.isoweekday() % 7
        by_date = self.days is None or wall.day in self.days
        by_week = self.weekdays is None or weekday in self.weekdays
        if self.days is not None and self.weekdays is not None:
            return by_date or by_week
        return by_date and by_week


def walked(
    fields: Fields, timezone: str, rule: DstRule, *, start: int, end: int, step: int
) -> list[datetime]:
    """Return the occurrences from ``start`` up to, not including, ``end``."""
    zone = ZoneInfo(timezone)
    pace = timedelta(seconds=step)
    found: list[datetime] = []
    previous = datetime.fromtimestamp(start - step, zone).replace(tzinfo=None)
    for seconds in range(start, end, step):
        local = datetime.fromtimestamp(seconds, zone)
        wall = local.replace(tzinfo=None)
        fires = fields.match(wall) and _pass_counts(local, zone, rule)
        if rule.gap == "shift":
            skipped = previous + pace
            while skipped < wall and not fires:
                fires = fields.match(skipped)
                skipped += pace
        if fires:
            found.append(datetime.fromtimestamp(seconds, UTC))
        previous = wall
    return found


def _pass_counts(local: datetime, zone: ZoneInfo, rule: DstRule) -> bool:
    wall = local.replace(tzinfo=zone, fold=0)
    repeated = wall.utcoffset() != wall.replace(fold=1).utcoffset()
    if not repeated or rule.fold == "both":
        return True
    return local.fold == (0 if rule.fold == "first" else 1)


@dataclass(frozen=True, order=True)
class Change:
    """A change of offset, in seconds since 1970 and seconds of offset."""

    at: int
    before: int
    after: int


def offset_at(zone: ZoneInfo, seconds: int) -> int:
    """Return the zone's offset at an instant."""
    offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)


def changes(timezone: str, first_year: int, last_year: int) -> Iterator[Change]:
    """Find a zone's changes of offset by looking four times a day."""
    zone = ZoneInfo(timezone)
    start = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    before = offset_at(zone, start)
    for seconds in range(start, end, 6 * HOUR):
        after = offset_at(zone, seconds + 6 * HOUR)
        if after != before:
            at = next(
                moment
                for moment in range(seconds, seconds + 6 * HOUR + 1, 60)
                if offset_at(zone, moment) == after
            )
            yield Change(at, before, after)
        before = after


@lru_cache(maxsize=1)
def all_changes() -> dict[str, tuple[Change, ...]]:
    """Return the changes of every zone in a few years of the recent past and future."""
    found: dict[str, tuple[Change, ...]] = {}
    by_rules: dict[bytes, tuple[Change, ...]] = {}
    for name in sorted(zone_names()):
        # Half of the names are others for the same rules.
        rules = _rules(name)
        if rules not in by_rules:
            early, late = changes(name, 2018, 2019), changes(name, 2026, 2027)
            by_rules[rules] = (*early, *late)
        found[name] = by_rules[rules]
    return found


def _rules(name: str) -> bytes:
    """Return what this host's file of a zone holds, or else its name."""
    files = (Path(folder, name) for folder in TZPATH)
    found = next((file for file in files if file.is_file()), None)
    return name.encode() if found is None else found.read_bytes()


def zone_names() -> set[str]:
    """Return the names of all zones that mean the same on every host."""
    return available_timezones() - {"localtime", "posixrules", "Factory"}
