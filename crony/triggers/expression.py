"""A cron expression's text, read into the fields that evaluation works on."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final

from crony.triggers import field as fields
from crony.triggers.calendar import Calendar, DayFields, DaysOfMonth, DaysOfWeek
from crony.triggers.describe_days import MONTHS
from crony.triggers.field import Source, is_number, items_of, number_of, values_of

_LONGEST: Final = 1000
_NEAREST: Final = re.compile(r"(\d+)w|w(\d+)", re.ASCII)
_NTH: Final = re.compile(r"(\w+)#(\w+)", re.ASCII)
_LAST: Final = re.compile(r"(\d|[a-z]{3})l|l(\d|[a-z]{3})", re.ASCII)
_HASHED: Final = re.compile(r"(?<![a-z])h(?![a-z])", re.ASCII | re.IGNORECASE)

_ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LENGTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression says; ``as_it_passes`` is the Vixie rule for its clock.

    It is true when the minute or the hour starts with a star: then the expression
    follows the wall clock through gaps and folds, and is no fixed time of day.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: DayFields
    as_it_passes: bool


def is_hashed(text: str) -> bool:
    """Say whether an expression depends on who owns it."""
    return _HASHED.search(text) is not None


def parsed(text: str, *, identity: str) -> Expression:
    """Read an expression of 5 fields, 6 with leading seconds, or an alias."""
    source = Source(text[:_LONGEST], identity)
    if len(text) > _LONGEST:
        raise source.refused(f"it is longer than {_LONGEST} characters")
    parts = _resolved(text, source).split()
    if len(parts) not in (5, 6):
        raise source.refused(
            f"it has {len(parts)} fields, not 5 (minute hour day-of-month month "
            f"day-of-week) or 6 (with leading seconds)"
        )
    second = parts[0] if len(parts) == 6 else "0"
    minute, hour, day, month, weekday = parts[-5:]
    expression = Expression(
        seconds=_values(second, fields.SECOND, source),
        minutes=_values(minute, fields.MINUTE, source),
        hours=_values(hour, fields.HOUR, source),
        days=DayFields(
            _days_of_month(day, source),
            _values(month, fields.MONTH, source),
            _days_of_week(weekday, source),
        ),
        as_it_passes=minute.startswith("*") or hour.startswith("*"),
    )
    _refuse_if_never(expression.days, source)
    return expression


def _resolved(text: str, source: Source) -> str:
    stripped = text.strip(" \t")
    if not stripped.replace("\t", " ").isprintable():
        raise source.refused(
            "it holds a control character; separate fields with spaces"
        )
    if not stripped.startswith("@"):
        return stripped
    alias = _ALIASES.get(stripped.casefold())
    if alias is not None:
        return alias
    if stripped.casefold() == "@reboot":
        raise source.refused(
            'there is no boot to wait for; to run once now, use "at": "now", '
            "or run the schedule by hand"
        )
    nearest = difflib.get_close_matches(stripped.casefold()[:20], _ALIASES, n=1)
    hint = f'; nearest: "{nearest[0]}"' if nearest else ""
    raise source.refused(f"it is none of {', '.join(_ALIASES)}{hint}")


def _values(text: str, field: fields.Field, source: Source) -> frozenset[int]:
    items = items_of(text, field, source)
    return frozenset[int]().union(*(values_of(item, field, source) for item in items))


def _days_of_month(text: str, source: Source) -> DaysOfMonth:
    field = fields.DAY_OF_MONTH
    days: set[int] = set()
    nearest: set[int] = set()
    last = last_weekday = False
    for item in items_of(text, field, source):
        near = _NEAREST.fullmatch(item)
        if item == "l":
            last = True
        elif item in ("lw", "wl"):
            last_weekday = True
        elif near:
            nearest.add(number_of(near[1] or near[2], field, source))
        else:
            days |= values_of(item, field, source)
    return DaysOfMonth(
        frozenset(days), last, frozenset(nearest), last_weekday, _starred(text)
    )


def _days_of_week(text: str, source: Source) -> DaysOfWeek:
    field = fields.DAY_OF_WEEK
    weekdays: set[int] = set()
    nth: set[tuple[int, int]] = set()
    last: set[int] = set()
    for item in items_of(text, field, source):
        ranked = _NTH.fullmatch(item)
        ending = _LAST.fullmatch(item)
        if ranked:
            nth.add(_ranked(ranked[1], ranked[2], source))
        elif ending and is_number(ending[1] or ending[2], field):
            last.add(number_of(ending[1] or ending[2], field, source))
        elif item == "l":
            raise source.refused(
                'day-of-week "L" needs a day: "5L" is the last Friday of the month'
            )
        else:
            weekdays |= values_of(item, field, source)
    return DaysOfWeek(
        frozenset(weekdays), frozenset(nth), frozenset(last), _starred(text)
    )


def _ranked(weekday: str, rank: str, source: Source) -> tuple[int, int]:
    if rank not in ("1", "2", "3", "4", "5"):
        raise source.refused(
            f'day-of-week "{weekday}#{rank}": the number after # is out of 1..5'
        )
    return number_of(weekday, fields.DAY_OF_WEEK, source), int(rank)


def _starred(text: str) -> bool:
    return text.startswith(("*", "?"))


def _refuse_if_never(days: DayFields, source: Source) -> None:
    """Refuse what no date of the calendar matches, such as the 31st of February."""
    # The cycle of the calendar begins anywhere, so it may as well begin in 1970.
    if Calendar(days).next(0) is not None:
        return
    months = sorted(days.months)
    longest = max(_LENGTHS[month - 1] for month in months)
    wanted = min(days.of_month.days | days.of_month.nearest, default=1)
    if wanted > longest:
        names = ", ".join(MONTHS[month - 1] for month in months)
        verb = "have" if len(months) > 1 else "has"
        raise source.refused(
            f"it never fires: {names} {verb} no day {wanted}, at most {longest}"
        )
    raise source.refused(
        "it never fires: no date of the calendar has all that it asks for"
    )
