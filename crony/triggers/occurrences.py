"""What a compiled trigger answers, and the arithmetic of instants behind it.

All evaluation is done on whole seconds since 1970; ``datetime`` appears at the
border only, because making one costs as much as finding the instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol, TypeAlias

from crony.clock import EPOCH

DAY: Final = 86_400

# Nothing recurs outside of these: the first and the last year are left out so that
# no offset of any zone can carry an instant past what a datetime holds.
DAWN: Final = (datetime(2, 1, 1, tzinfo=UTC) - EPOCH).days * DAY
HORIZON: Final = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH).days * DAY

Note: TypeAlias = Literal["shifted", "repeated"]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One occurrence as a person reads it.

    ``local`` is RFC 3339 with the zone's offset. ``note`` is ``shifted`` when the
    wall-clock reading asked for does not exist on that day, ``repeated`` when the
    clock shows this reading for the second time.
    """

    at: datetime
    local: str
    note: Note | None


class Occurrences(Protocol):
    """The nominal instants of one trigger: strictly increasing, in UTC.

    Every answer depends on the arguments alone, so one object serves all threads.
    """

    def first(self, instant: datetime, *, inclusive: bool = False) -> datetime | None:
        """Return the first occurrence after (``inclusive``: at or after) an instant.

        ``None`` means that there is none, however long one waits.
        """
        ...

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[datetime]:
        """Return the earliest ``limit`` occurrences after ``start``, up to ``end``."""
        ...

    def count(self, start: datetime, end: datetime) -> int:
        """Count the occurrences after ``start``, up to and including ``end``.

        By arithmetic: years of seconds cost no more than a day of them.
        """
        ...

    def upcoming(self, instant: datetime, count: int) -> list[Upcoming]:
        """Return the first ``count`` occurrences after an instant, for people."""
        ...

    def describe(self) -> str:
        """Say in English when this is due."""
        ...


def seconds_until(instant: datetime) -> int:
    """Return the whole seconds from 1970 to an instant, rounded down."""
    since = instant - EPOCH
    return since.days * DAY + since.seconds


def instant_at(seconds: int) -> datetime:
    """Return the instant that many seconds after 1970."""
    return EPOCH + timedelta(seconds=seconds)


def local_text(instant: datetime) -> str:
    """Render a zoned instant as RFC 3339, with milliseconds when it has any."""
    return instant.isoformat(timespec="milliseconds" if instant.microsecond else "auto")
