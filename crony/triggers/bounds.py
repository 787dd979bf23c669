"""Occurrences within bounds: from a start, inclusive, to an end, exclusive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from crony.triggers.occurrences import Occurrences, Upcoming

_FIRST: Final = datetime.min.replace(tzinfo=UTC)


class Bounded:
    """The occurrences of another trigger that lie within bounds."""

    __slots__ = ("_before_start", "_end", "_occurrences")

    def __init__(
        self,
        occurrences: Occurrences,
        *,
        start: datetime | None,
        end: datetime | None,
    ) -> None:
        self._occurrences = occurrences
        # Kept as the last instant outside, so that "after" includes the start.
        self._before_start = None if start is None else _just_before(start)
        self._end = end

    def first(self, instant: datetime, *, inclusive: bool = False) -> datetime | None:
        """Return the first occurrence within the bounds after (or at) an instant."""
        start = self._before_start
        if start is not None and instant <= start:
            found = self._occurrences.first(start)
        else:
            found = self._occurrences.first(instant, inclusive=inclusive)
        return found if self._within(found) else None

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[datetime]:
        """Return the earliest occurrences within the bounds, ``end`` included."""
        return self._occurrences.between(
            self._later(start), self._earlier(end), limit=limit
        )

    def count(self, start: datetime, end: datetime) -> int:
        """Count the occurrences within the bounds, ``end`` included."""
        return self._occurrences.count(self._later(start), self._earlier(end))

    def upcoming(self, instant: datetime, count: int) -> list[Upcoming]:
        """Return the next occurrences within the bounds, for people."""
        items = self._occurrences.upcoming(self._later(instant), count)
        return [item for item in items if self._within(item.at)]

    def describe(self) -> str:
        """Say in English when this is due; the bounds are shown elsewhere."""
        return self._occurrences.describe()

    def _within(self, instant: datetime | None) -> bool:
        return instant is not None and (self._end is None or instant < self._end)

    def _later(self, instant: datetime) -> datetime:
        start = self._before_start
        return instant if start is None else max(instant, start)

    def _earlier(self, instant: datetime) -> datetime:
        end = self._end
        return instant if end is None else min(instant, _just_before(end))


def _just_before(bound: datetime) -> datetime:
    # Nothing is due at the first instant of all, and nothing comes before it.
    return bound - timedelta.resolution if bound > _FIRST else bound


def bounded(
    occurrences: Occurrences,
    *,
    not_before: datetime | None,
    start_at: datetime | None,
    end_at: datetime | None,
) -> Bounded:
    """Keep what is due from ``start_at`` on (inclusive) and before ``end_at``.

    ``not_before`` is a second lower bound, such as the schedule's creation.
    """
    starts = [start for start in (not_before, start_at) if start is not None]
    return Bounded(occurrences, start=max(starts, default=None), end=end_at)
