"""Which days a cron expression matches, as numbers of days since 1970.

The Gregorian calendar repeats after 400 years, weekdays included; what does not
match within that time never does.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import isleap
from dataclasses import dataclass
from datetime import date
from typing import Final

from crony.triggers.occurrences import DAY, HORIZON

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = HORIZON // DAY
_CYCLE: Final = 400 * 12

#: Of the months, from 1 on.
_LENGTHS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_ALL_DAYS: Final = frozenset(range(1, 32))
_ALL_MONTHS: Final = frozenset(range(1, 13))
_ALL_WEEKDAYS: Final = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """The day-of-month field: numbers, ``L``, ``15W`` and ``LW``."""

    days: frozenset[int] = _ALL_DAYS
    last: bool = False
    nearest: frozenset[int] = frozenset()
    last_weekday: bool = False
    starred: bool = True

    def matching(self, first_weekday: int, length: int) -> set[int]:
        """Return the days matched in a month that begins with that weekday."""
        matched = {day for day in self.days if day <= length}
        if self.last:
            matched.add(length)
        for day in self.nearest:
            if day <= length:
                matched.add(_nearest_weekday(day, first_weekday, length))
        if self.last_weekday:
            matched.add(_nearest_weekday(length, first_weekday, length))
        return matched


@dataclass(frozen=True, slots=True)
class DaysOfWeek:
    """The day-of-week field (0 is Sunday): numbers, ``n#k`` and ``5L``."""

    weekdays: frozenset[int] = _ALL_WEEKDAYS
    nth: frozenset[tuple[int, int]] = frozenset()
    last: frozenset[int] = frozenset()
    starred: bool = True

    def matching(self, first_weekday: int, length: int) -> set[int]:
        """Return the days matched in a month that begins with that weekday."""
        matched: set[int] = set()
        for weekday in self.weekdays:
            matched.update(range((weekday - first_weekday) % 7 + 1, length + 1, 7))
        for weekday, rank in self.nth:
            day = (weekday - first_weekday) % 7 + 1 + 7 * (rank - 1)
            if day <= length:
                matched.add(day)
        for weekday in self.last:
            last_weekday = (first_weekday + length - 1) % 7
            matched.add(length - (last_weekday - weekday) % 7)
        return matched


@dataclass(frozen=True, slots=True)
class DayFields:
    """The three fields of a cron expression that choose days."""

    of_month: DaysOfMonth = DaysOfMonth()
    months: frozenset[int] = _ALL_MONTHS
    of_week: DaysOfWeek = DaysOfWeek()

    @property
    def both(self) -> bool:
        """Whether a day must match both day fields; else either is enough.

        Vixie cron's rule: a field that starts with a star is not a restriction of
        its own, though ``*/2`` still thins the days that the other one chooses.
        """
        return self.of_month.starred or self.of_week.starred

    @property
    def daily(self) -> bool:
        """Whether every day matches."""
        return self.of_month.days == _ALL_DAYS and self.by_weekday_only == _ALL_WEEKDAYS

    @property
    def by_weekday_only(self) -> frozenset[int] | None:
        """The weekdays that match, when nothing else decides; else ``None``."""
        plain = not self.of_week.nth and not self.of_week.last
        every_day = self.of_month.days == _ALL_DAYS and self.of_month.starred
        if plain and every_day and self.months == _ALL_MONTHS:
            return self.of_week.weekdays
        return None

    def matching(self, first_weekday: int, length: int) -> list[int]:
        """Return the days matched in a month of that shape, in order."""
        of_month = self.of_month.matching(first_weekday, length)
        of_week = self.of_week.matching(first_weekday, length)
        return sorted(of_month & of_week if self.both else of_month | of_week)


class Calendar:
    """Finds and counts matching days; remembers the month it looked at last."""

    __slots__ = ("_month", "_shapes", "_steps", "daily", "fields")

    def __init__(self, fields: DayFields) -> None:
        self.fields = fields
        self.daily = fields.daily
        weekdays = fields.by_weekday_only
        self._steps = None if weekdays is None else _steps_to(weekdays)
        self._month: tuple[int, int, list[int]] = (0, 0, [])
        #: The days of each shape of a month, of which there are 28.
        self._shapes: dict[tuple[int, int], list[int]] = {}

    def next(self, day: int) -> int | None:
        """Return the first matching day at or after one; ``None`` if there is none."""
        if self.daily:
            return day
        if self._steps is not None:
            # 1970-01-01 was a Thursday.
            return day + self._steps[(day + 4) % 7]
        first, beyond, days = self._month
        if not first <= day < beyond:
            first, beyond, days = self._load(day)
        for _ in range(_CYCLE):
            index = bisect_left(days, day)
            if index < len(days):
                return days[index]
            day = beyond
            if day >= _LAST_DAY:
                return None
            first, beyond, days = self._load(day)
        return None

    def count(self, first: int, beyond: int) -> int:
        """Count the matching days from ``first`` up to, not including, ``beyond``."""
        if beyond <= first:
            return 0
        if self.daily:
            return beyond - first
        if self._steps is not None:
            weeks, rest = divmod(beyond - first, 7)
            odd = range(beyond - rest, beyond)
            hits = sum(self._steps[(day + 4) % 7] == 0 for day in odd)
            return weeks * self._steps.count(0) + hits
        total = 0
        while first < beyond:
            _, end, days = self._load(first)
            total += bisect_left(days, beyond) - bisect_left(days, first)
            first = end
        return total

    def _load(self, day: int) -> tuple[int, int, list[int]]:
        """Work out the month that holds a day: its bounds and its matching days."""
        shown = date.fromordinal(day + _EPOCH_ORDINAL)
        first = day - shown.day + 1
        length = _LENGTHS[shown.month]
        if shown.month == 2 and isleap(shown.year):
            length = 29
        matching: list[int] = []
        if shown.month in self.fields.months:
            # 1970-01-01 was a Thursday.
            matching = self._matching((first + 4) % 7, length)
        # One assignment, so that no other thread sees half of it.
        days = [first + day - 1 for day in matching]
        self._month = month = (first, first + length, days)
        return month

    def _matching(self, first_weekday: int, length: int) -> list[int]:
        shape = first_weekday, length
        found = self._shapes.get(shape)
        if found is None:
            found = self._shapes[shape] = self.fields.matching(*shape)
        return found


def _steps_to(weekdays: frozenset[int]) -> tuple[int, ...]:
    """Return, for each weekday, how many days it is to the next matching one."""
    return tuple(
        min((wanted - weekday) % 7 for wanted in weekdays) for weekday in range(7)
    )


def _nearest_weekday(day: int, first_weekday: int, length: int) -> int:
    """Return the Monday to Friday nearest to a day, never leaving its month."""
    weekday = (first_weekday + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day
