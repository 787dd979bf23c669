"""A cron expression on a plain clock: seconds of the wall, without zones.

A wall reading is the number of seconds since 1970-01-01 00:00 that a clock which
is never changed would have counted. Leaving zones out makes the search a handful of
table look-ups, and counting a multiplication.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from crony.triggers.calendar import Calendar
from crony.triggers.occurrences import DAY


@dataclass(frozen=True, slots=True)
class _Dial:
    """The matching positions of one hand of the clock.

    ``at_or_after[i]`` is the first matching position from ``i`` on, or ``size``;
    ``before[i]`` is how many there are below ``i``.
    """

    size: int
    first: int
    total: int
    at_or_after: tuple[int, ...]
    before: tuple[int, ...]


@lru_cache(maxsize=4096)
def _dial(values: frozenset[int], size: int) -> _Dial:
    at_or_after = [size] * (size + 1)
    before = [0] * (size + 1)
    for position in range(size):
        before[position + 1] = before[position] + (position in values)
    for position in reversed(range(size)):
        following = at_or_after[position + 1]
        at_or_after[position] = position if position in values else following
    return _Dial(size, at_or_after[0], len(values), tuple(at_or_after), tuple(before))


class Pattern:
    """The wall readings that match: every product of day, hour, minute, second."""

    __slots__ = (
        "_first",
        "_first_in_hour",
        "_hours",
        "_minutes",
        "_per_hour",
        "_seconds",
        "calendar",
        "per_day",
    )

    def __init__(
        self,
        calendar: Calendar,
        *,
        hours: Collection[int],
        minutes: Collection[int],
        seconds: Collection[int],
    ) -> None:
        self.calendar = calendar
        self._hours = _dial(frozenset(hours), 24)
        self._minutes = _dial(frozenset(minutes), 60)
        self._seconds = _dial(frozenset(seconds), 60)
        self._per_hour = self._minutes.total * self._seconds.total
        self.per_day = self._hours.total * self._per_hour
        self._first_in_hour = self._minutes.first * 60 + self._seconds.first
        self._first = self._hours.first * 3600 + self._first_in_hour

    def next(self, wall: int) -> int | None:
        """Return the first matching reading at or after one; ``None``: no more."""
        day, rest = divmod(wall, DAY)
        found = self.calendar.next(day)
        if found == day:
            time = self._next_time(rest)
            if time < DAY:
                return day * DAY + time
            found = self.calendar.next(day + 1)
        return None if found is None else found * DAY + self._first

    def matches(self, wall: int) -> bool:
        """Say whether a reading is one of the pattern's."""
        return self.next(wall) == wall

    def count(self, start: int, end: int) -> int:
        """Count the matching readings from ``start`` up to, not including, ``end``."""
        if end <= start:
            return 0
        first, start_time = divmod(start, DAY)
        last, end_time = divmod(end, DAY)
        total = self.calendar.count(first, last) * self.per_day
        if start_time and self.calendar.next(first) == first:
            total -= self._times_before(start_time)
        if end_time and self.calendar.next(last) == last:
            total += self._times_before(end_time)
        return total

    def _next_time(self, time: int) -> int:
        """Return the first matching second of the day from one on; a day: none."""
        hour, rest = divmod(time, 3600)
        found = self._hours.at_or_after[hour]
        if found == hour:
            minute, second = divmod(rest, 60)
            matched = self._minutes.at_or_after[minute]
            if matched == minute:
                second = self._seconds.at_or_after[second]
                if second < 60:
                    return hour * 3600 + minute * 60 + second
                matched = self._minutes.at_or_after[minute + 1]
            if matched < 60:
                return hour * 3600 + matched * 60 + self._seconds.first
            found = self._hours.at_or_after[hour + 1]
        return found * 3600 + self._first_in_hour if found < 24 else DAY

    def _times_before(self, time: int) -> int:
        """Count the matching seconds of a day that lie before one."""
        hour, rest = divmod(time, 3600)
        minute, second = divmod(rest, 60)
        total = self._hours.before[hour] * self._per_hour
        if self._hours.at_or_after[hour] == hour:
            total += self._minutes.before[minute] * self._seconds.total
            if self._minutes.at_or_after[minute] == minute:
                total += self._seconds.before[second]
        return total
