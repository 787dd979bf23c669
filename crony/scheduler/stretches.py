"""Where the occurrences of a calendar lie within a span, without going through them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crony.clock import MOMENT
from crony.triggers import Bounded

_NEAR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some occurrences in a row; both ends are inclusive."""

    first: datetime
    last: datetime
    count: int


def stretch(calendar: Bounded, low: datetime, high: datetime) -> Stretch | None:
    """Return what is due from ``low`` to ``high``, both inclusive."""
    first = calendar.first(low, inclusive=True) if low <= high else None
    if first is None or first > high:
        return None
    number = calendar.count(first - MOMENT, high)
    last = first if number == 1 else _last(calendar, first, high)
    return Stretch(first, last, number)


def nth(calendar: Bounded, low: datetime, high: datetime, number: int) -> datetime:
    """Return the instant of the ``number``-th occurrence from ``low`` on.

    There must be so many up to ``high``.
    """
    before = low - MOMENT
    least, most = 0, (high - low) // MOMENT
    while least < most:
        middle = (least + most) // 2
        if calendar.count(before, low + middle * MOMENT) >= number:
            most = middle
        else:
            least = middle + 1
    return low + least * MOMENT


def latest(calendar: Bounded, low: datetime, high: datetime) -> datetime | None:
    """Return the last occurrence from ``low`` to ``high``, both inclusive."""
    first = calendar.first(low, inclusive=True) if low <= high else None
    return None if first is None or first > high else _last(calendar, first, high)


def _last(calendar: Bounded, low: datetime, high: datetime) -> datetime:
    """Return the last occurrence from ``low``, which is one, to ``high``.

    Looked for from the end: to count far back costs more, the farther it is.
    """
    span = _NEAR
    while span < high - low and not calendar.count(high - span, high):
        span *= 2
    begin = max(low, high - span)
    least, most = 0, (high - begin) // MOMENT
    while least < most:
        middle = (least + most + 1) // 2
        if calendar.count(begin + (middle - 1) * MOMENT, high):
            least = middle
        else:
            most = middle - 1
    return begin + least * MOMENT
