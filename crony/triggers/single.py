"""One instant, once."""

from __future__ import annotations

from datetime import UTC, datetime

from crony.triggers.occurrences import Upcoming, local_text
from crony.triggers.zone import Zone


class SingleOccurrence:
    """The only occurrence of an `at` trigger."""

    __slots__ = ("_at", "_local")

    def __init__(self, at: datetime, *, zone: Zone) -> None:
        self._at = at.astimezone(UTC)
        self._local = local_text(zone.local(self._at))

    def first(self, instant: datetime, *, inclusive: bool = False) -> datetime | None:
        """Return the instant while it is still to come (``inclusive``: or now)."""
        comes = instant < self._at or (inclusive and instant == self._at)
        return self._at if comes else None

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[datetime]:
        """Return the instant if it is after ``start`` and not after ``end``."""
        return [self._at] if limit > 0 and start < self._at <= end else []

    def count(self, start: datetime, end: datetime) -> int:
        """Return 1 if the instant is after ``start`` and not after ``end``."""
        return int(start < self._at <= end)

    def upcoming(self, instant: datetime, count: int) -> list[Upcoming]:
        """Return the instant with its local time while it is still to come."""
        if count < 1 or instant >= self._at:
            return []
        return [Upcoming(self._at, self._local, None)]

    def describe(self) -> str:
        """Say in English when this is due."""
        return f"Once, at {self._local}"
