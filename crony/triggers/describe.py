"""Triggers in English: the time of day first, then the days, then the zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from crony.model.trigger import Cadence
from crony.triggers.cadence import Moment
from crony.triggers.describe_days import (
    WEEKDAYS,
    days_text,
    listed,
    ordinal,
    runs,
    told,
)
from crony.triggers.expression import Expression

# More times of day than this are told as a rule rather than as a list.
_LISTED_TIMES: Final = 4
_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def cron_text(expression: Expression, *, timezone: str) -> str:
    """Describe an expression: ``At 02:30, Monday to Friday (Europe/Berlin)``."""
    days = days_text(expression.days)
    text = _time_text(expression) + (f", {days}" if days else "")
    # The zone decides nothing about what happens at every hour of every day.
    local = bool(days) or len(expression.hours) < 24
    return f"{text} ({timezone})" if local else text


def interval_text(interval: timedelta) -> str:
    """Describe an interval: ``Every 1 hour 30 minutes``."""
    rest, below = divmod(interval, timedelta(seconds=1))
    parts: list[tuple[str, str]] = []
    for unit, size in _UNITS[:-1]:
        number, rest = divmod(rest, size)
        if number:
            parts.append((str(number), unit))
    seconds = f"{rest}.{below.microseconds // 1000:03}".rstrip("0") if below else rest
    if rest or below:
        parts.append((str(seconds), "second"))
    if len(parts) == 1 and parts[0][0] == "1":
        return f"Every {parts[0][1]}"
    plural = [
        f"{number} {unit}{'' if number == '1' else 's'}" for number, unit in parts
    ]
    return f"Every {' '.join(plural)}"


def cadence_text(cadence: Cadence, moment: Moment, *, timezone: str) -> str:
    """Describe a cadence with the moment assigned to it."""
    time = f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"
    match cadence:
        case "minute":
            return f"Once a minute, at second {moment.second}"
        case "hour":
            past = f"{moment.minute}:{moment.second:02}"
            return f"Once an hour, at {past} past ({timezone})"
        case "day":
            return f"Once a day, at {time} ({timezone})"
        case "week":
            return f"Once a week, on {WEEKDAYS[moment.day]} at {time} ({timezone})"
        case "month":
            day = ordinal(moment.day + 1)
            return f"Once a month, on the {day} at {time} ({timezone})"


def _time_text(expression: Expression) -> str:
    seconds, minutes = sorted(expression.seconds), sorted(expression.minutes)
    hours = sorted(expression.hours)
    if len(seconds) > 1:
        return _rule_with_seconds(seconds, minutes, hours)
    if len(hours) < 24 and len(hours) * len(minutes) <= _LISTED_TIMES:
        return f"At {listed(_times(hours, minutes, seconds[0]))}"
    text = _hourly(minutes, hours)
    return f"{text}, at second {seconds[0]}" if seconds != [0] else text


def _times(hours: list[int], minutes: list[int], second: int) -> list[str]:
    tail = f":{second:02}" if second else ""
    return [f"{hour:02}:{minute:02}{tail}" for hour in hours for minute in minutes]


def _hourly(minutes: list[int], hours: list[int]) -> str:
    """Describe what happens on more than a few minutes of the day."""
    if minutes == [0] and len(hours) == 24:
        return "Every hour"
    if len(minutes) == 1:
        if len(hours) == 24:
            return f"Once an hour, at {minutes[0]} past"
        step = _even_step(hours, 24)
        if step and hours[0] == 0:
            past = f", at {minutes[0]} past" if minutes != [0] else ""
            return f"Every {step} hours{past}"
        return f"At {minutes[0]} past {_hours_text(hours)}"
    step = _even_step(minutes, 60)
    if step is None:
        return f"At minutes {_values_text(minutes)} past {_hours_text(hours)}"
    every = "Every minute" if step == 1 else f"Every {step} minutes"
    if len(hours) == 24:
        return every + (f", from {minutes[0]} past" if minutes[0] else "")
    if len(runs(hours)) == 1:
        first = f"{hours[0]:02}:{minutes[0]:02}"
        return f"{every}, from {first} to {hours[-1]:02}:{minutes[-1]:02}"
    start = f" from {minutes[0]} past" if minutes[0] else ""
    return f"{every}{start}, during {_hours_text(hours)}"


def _rule_with_seconds(seconds: list[int], minutes: list[int], hours: list[int]) -> str:
    step = _even_step(seconds, 60)
    if step == 1:
        text = "Every second"
    elif step and seconds[0] == 0:
        text = f"Every {step} seconds"
    else:
        text = f"At seconds {_values_text(seconds)}"
    if len(minutes) < 60:
        plural = "s" if len(minutes) > 1 else ""
        text += f" of minute{plural} {_values_text(minutes)}"
    if len(hours) < 24 or len(minutes) < 60:
        text += f", during {_hours_text(hours)}"
    return text


def _hours_text(hours: list[int]) -> str:
    if len(hours) == 24:
        return "every hour"
    return f"hour{'s' if len(hours) > 1 else ''} {_values_text(hours)}"


def _even_step(values: list[int], size: int) -> int | None:
    """Return the step of values that go round the dial evenly, or ``None``."""
    if len(values) < 2:
        return None
    step = values[1] - values[0]
    even = size % step == 0 and values == list(range(values[0], size, step))
    return step if even and values[0] < step else None


def _values_text(values: Iterable[int]) -> str:
    return listed(told(values, str))
