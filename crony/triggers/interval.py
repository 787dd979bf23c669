"""A fixed interval: the n-th occurrence is anchor + n × interval, without drift."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from crony.triggers.occurrences import HORIZON, Upcoming, instant_at, local_text
from crony.triggers.zone import Zone

_LAST: Final = instant_at(HORIZON)


class IntervalOccurrences:
    """The occurrences of an interval; the anchor itself is the first of them."""

    __slots__ = ("_anchor", "_interval", "_text", "_zone")

    def __init__(
        self, interval: timedelta, *, anchor: datetime, zone: Zone, description: str
    ) -> None:
        self._interval = interval
        self._anchor = anchor
        self._zone = zone
        self._text = description

    def first(self, instant: datetime, *, inclusive: bool = False) -> datetime | None:
        """Return the first occurrence after (or at) an instant."""
        since = instant - self._anchor
        index = -(-since // self._interval) if inclusive else self._passed(since)
        return self._nth(max(index, 0))

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[datetime]:
        """Return the earliest occurrences after ``start``, up to ``end``."""
        first = max(self._passed(start - self._anchor), 0)
        number = min(self.count(start, end), limit)
        return [
            self._anchor + index * self._interval
            for index in range(first, first + number)
        ]

    def count(self, start: datetime, end: datetime) -> int:
        """Count the occurrences after ``start``, up to ``end``."""
        first = max(self._passed(start - self._anchor), 0)
        beyond = self._passed(min(end, _LAST) - self._anchor)
        return max(beyond - first, 0)

    def upcoming(self, instant: datetime, count: int) -> list[Upcoming]:
        """Return the next occurrences with their local time."""
        items: list[Upcoming] = []
        index = max(self._passed(instant - self._anchor), 0)
        while len(items) < count:
            at = self._nth(index + len(items))
            if at is None:
                break
            items.append(Upcoming(at, local_text(self._zone.local(at)), None))
        return items

    def describe(self) -> str:
        """Say in English when this is due."""
        return self._text

    def _passed(self, since: timedelta) -> int:
        """Return how many occurrences lie at or before anchor + ``since``.

        It is zero or less when that is before the anchor.
        """
        return since // self._interval + 1

    def _nth(self, index: int) -> datetime | None:
        try:
            found = self._anchor + index * self._interval
        except OverflowError:
            return None
        return found if found <= _LAST else None
