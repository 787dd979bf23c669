"""A pattern on the wall clock of a zone, through gaps and folds.

A zone is a row of stretches of one offset. Within a stretch the wall clock runs on
evenly, so the pattern alone finds the next reading there. All that daylight saving
does is at a stretch's ends: a part of its readings is left out because another pass
of the fold counts, or an instant is added at its beginning for the readings that
the gap before it swallowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from crony.model.trigger import DstRule
from crony.triggers.occurrences import (
    DAWN,
    DAY,
    HORIZON,
    Note,
    Upcoming,
    instant_at,
    local_text,
    seconds_until,
)
from crony.triggers.pattern import Pattern
from crony.triggers.zone import Stretch, Zone

# An expression that finds no instant in this time finds none at all. The rarest dates,
# a 29th of February on a given weekday, are forty years apart at most.
_PATIENCE: Final = 36_525 * DAY

# What the wall clock shows, as it passes: nothing is moved, nothing left out.
AS_IT_PASSES: Final = DstRule(gap="skip", fold="both")
# What suits a fixed time of day: once on each day, whatever the clock does.
ONCE_A_DAY: Final = DstRule(gap="shift", fold="first")


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch with the pattern's and the rule's consequences worked out.

    Readings count from ``low`` up to, not including, ``high``. ``shifted`` says that
    ``begin`` is an occurrence on account of the gap before it, ``rewound`` that the
    clock is set back at ``end``; readings below ``repeated_until`` are shown for the
    second time.
    """

    begin: int
    end: int
    offset: int
    low: int
    high: int
    shifted: bool
    rewound: bool
    repeated_until: int


class ClockworkOccurrences:
    """The occurrences of a pattern in a zone, under a rule for gaps and folds."""

    __slots__ = ("_known", "_pattern", "_rule", "_span", "_text", "_zone")

    def __init__(
        self, pattern: Pattern, *, zone: Zone, rule: DstRule, description: str
    ) -> None:
        self._pattern = pattern
        self._zone = zone
        self._rule = rule
        self._text = description
        self._span = self._span_at(0)
        #: From when to when nothing is due, but for the end.
        self._known = (0, -1)

    def first(self, instant: datetime, *, inclusive: bool = False) -> datetime | None:
        """Return the first occurrence after (or at) an instant."""
        seconds = seconds_until(instant)
        if not inclusive or instant.microsecond:
            seconds += 1
        # PERF: a new schedule is asked several times from about the same instant on,
        # and many have one trigger. One assignment, as with ``_span``.
        since, known = self._known
        if since <= seconds <= known:
            return instant_at(known)
        found = self._next(seconds)
        if found is None:
            return None
        self._known = (seconds, found)
        return instant_at(found)

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[datetime]:
        """Return the earliest occurrences after ``start``, up to ``end``."""
        last = seconds_until(end)
        found: list[datetime] = []
        for seconds in islice(self._from(seconds_until(start) + 1), max(limit, 0)):
            if seconds > last:
                break
            found.append(instant_at(seconds))
        return found

    def count(self, start: datetime, end: datetime) -> int:
        """Count the occurrences after ``start``, up to ``end``, stretch by stretch."""
        seconds = max(seconds_until(start) + 1, DAWN)
        beyond = min(seconds_until(end) + 1, HORIZON)
        total = 0
        while seconds < beyond:
            span = self._span_holding(seconds)
            stop = min(beyond, span.end)
            total += self._pattern.count(
                max(seconds + span.offset, span.low), min(stop + span.offset, span.high)
            )
            if span.shifted and seconds <= span.begin and not self._shows(span):
                total += 1
            seconds = stop
        return total

    def upcoming(self, instant: datetime, count: int) -> list[Upcoming]:
        """Return the next occurrences with their local time and what befell it."""
        found = islice(self._from(seconds_until(instant) + 1), max(count, 0))
        return [self._shown(seconds) for seconds in found]

    def describe(self) -> str:
        """Say in English when this is due."""
        return self._text

    def _shown(self, seconds: int) -> Upcoming:
        at = instant_at(seconds)
        return Upcoming(at, local_text(self._zone.local(at)), self._note(seconds))

    def _note(self, seconds: int) -> Note | None:
        span = self._span_holding(seconds)
        if span.shifted and seconds == span.begin and not self._shows(span):
            return "shifted"
        return "repeated" if seconds + span.offset < span.repeated_until else None

    def _shows(self, span: _Span) -> bool:
        """Say whether the pattern names the span's first reading by itself."""
        return self._pattern.matches(span.begin + span.offset)

    def _from(self, seconds: int) -> Iterator[int]:
        found = self._next(seconds)
        while found is not None:
            yield found
            found = self._next(found + 1)

    def _next(self, seconds: int) -> int | None:
        """Return the first occurrence at or after an instant, in seconds."""
        seconds = max(seconds, DAWN)
        horizon = min(seconds + _PATIENCE, HORIZON)
        while seconds < horizon:
            span = self._span_holding(seconds)
            if span.shifted and seconds <= span.begin:
                return span.begin
            wall = self._pattern.next(max(seconds + span.offset, span.low))
            if wall is None:
                return None
            if wall < span.high:
                return wall - span.offset
            # Nothing matches between here and that reading, and no offset reaches a
            # day: a date many years ahead is reached in one step. Where the clock is
            # set back, though, it shows again what was passed.
            seconds = span.end if span.rewound else max(span.end, wall - DAY)
        return None

    def _span_holding(self, seconds: int) -> _Span:
        span = self._span
        if not span.begin <= seconds < span.end:
            # One assignment: another thread's answer is as good for its own use.
            self._span = span = self._span_at(seconds)
        return span

    def _span_at(self, seconds: int) -> _Span:
        stretch = self._zone.stretch(seconds)
        low = stretch.begin + stretch.offset
        high = stretch.end + stretch.offset
        repeated_until = low
        opening, closing = stretch.opening, stretch.closing
        rewound = closing is not None and closing.before > closing.after
        if opening and opening.before > opening.after:
            repeated_until = opening.at + opening.before
            if self._rule.fold == "first":
                low = repeated_until
        if closing and rewound and self._rule.fold == "second":
            high = closing.at + closing.after
        return _Span(
            begin=stretch.begin,
            end=stretch.end,
            offset=stretch.offset,
            low=low,
            high=high,
            shifted=self._rule.gap == "shift" and self._gap_swallows(stretch),
            rewound=rewound,
            repeated_until=repeated_until,
        )

    def _gap_swallows(self, stretch: Stretch) -> bool:
        """Say whether a matching reading lies in the gap that opens the stretch."""
        gap = stretch.opening
        if gap is None or gap.before >= gap.after:
            return False
        wall = self._pattern.next(gap.at + gap.before)
        return wall is not None and wall < gap.at + gap.after
