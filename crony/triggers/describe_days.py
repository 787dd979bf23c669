"""The days of a cron expression in English."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from crony.triggers.calendar import DayFields, DaysOfMonth, DaysOfWeek

WEEKDAYS: Final = (
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
)  # fmt: skip
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December",
)  # fmt: skip
_RANKS: Final = ("first", "second", "third", "fourth", "fifth")


def days_text(days: DayFields) -> str:
    """Return the days on which something happens; empty for every day."""
    of_month = "" if _every_date(days.of_month) else _dates_text(days.of_month)
    of_week = "" if _every_weekday(days.of_week) else _weekdays_text(days.of_week)
    if not days.both and not (of_month and of_week):
        # Either field is enough, and one of them holds every day.
        text = ""
    elif of_month and of_week:
        joint = "if it is" if days.both else "and on"
        text = f"on {of_month} {joint} {of_week}"
    else:
        text = f"on {of_month}" if of_month else of_week
    if len(days.months) == 12:
        return text
    months = f"in {listed(told(days.months, lambda month: MONTHS[month - 1]))}"
    return f"{text} {months}" if text else months


def listed(items: list[str]) -> str:
    """Join items as a sentence does: ``a, b and c``."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if items[1:] else items[0]


def ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``3rd``, ``4th`` …, for the days of a month."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 11 <= number <= 13 else suffix}"


def told(values: Iterable[int], name: Callable[[int], str]) -> list[str]:
    """Return values in order, three or more in a row as ``first to last``."""
    items: list[str] = []
    for first, last in runs(values):
        if last - first > 1:
            items.append(f"{name(first)} to {name(last)}")
        else:
            items += [name(value) for value in range(first, last + 1)]
    return items


def runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of consecutive values, each by its first and last."""
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def _every_date(field: DaysOfMonth) -> bool:
    return len(field.days) == 31


def _every_weekday(field: DaysOfWeek) -> bool:
    return len(field.weekdays) == 7


def _dates_text(field: DaysOfMonth) -> str:
    items = _plain_dates(sorted(field.days))
    items += [
        f"the weekday nearest the {ordinal(day)}" for day in sorted(field.nearest)
    ]
    if field.last:
        items.append("the last day")
    if field.last_weekday:
        items.append("the last weekday")
    return f"{listed(items)} of the month"


def _plain_dates(days: list[int]) -> list[str]:
    step = days[1] - days[0] if len(days) > 4 else 1
    if step > 1 and days == list(range(days[0], 32, step)):
        start = f" from the {ordinal(days[0])}" if days[0] > 1 else ""
        return [f"every {ordinal(step)} day{start}"]
    return [f"the {date}" for date in told(days, ordinal)]


def _weekdays_text(field: DaysOfWeek) -> str:
    # A week is told from Monday on, so that a weekend is in one piece.
    from_monday = {(weekday - 1) % 7 for weekday in field.weekdays}
    items = told(from_monday, lambda day: WEEKDAYS[(day + 1) % 7])
    items += [
        f"the {_RANKS[rank - 1]} {WEEKDAYS[weekday]} of the month"
        for weekday, rank in sorted(field.nth)
    ]
    items += [f"the last {WEEKDAYS[day]} of the month" for day in sorted(field.last)]
    return listed(items)
