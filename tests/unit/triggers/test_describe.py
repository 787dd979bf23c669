"""What a person reads about a trigger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crony.model.trigger import At, Every
from crony.triggers import compile_trigger
from tests.unit.triggers.reference import ANCHOR, occurrences_of

DESCRIPTIONS = {
    "30 2 * * 1-5": "At 02:30, Monday to Friday (Europe/Berlin)",
    "0 9,17 * * *": "At 09:00 and 17:00 (Europe/Berlin)",
    "30 0 12 * * *": "At 12:00:30 (Europe/Berlin)",
    "* * * * *": "Every minute",
    "*/15 * * * *": "Every 15 minutes",
    "7/15 * * * *": "Every 15 minutes, from 7 past",
    "0 * * * *": "Every hour",
    "17 * * * *": "Once an hour, at 17 past",
    "@hourly": "Every hour",
    "0 */2 * * *": "Every 2 hours (Europe/Berlin)",
    "5 */2 * * *": "Every 2 hours, at 5 past (Europe/Berlin)",
    "*/20 9-17 * * 1-5": (
        "Every 20 minutes, from 09:00 to 17:40, Monday to Friday (Europe/Berlin)"
    ),
    "*/20 1-2,9-17 * * *": (
        "Every 20 minutes, during hours 1, 2 and 9 to 17 (Europe/Berlin)"
    ),
    "0 0-6,9 * * *": "At 0 past hours 0 to 6 and 9 (Europe/Berlin)",
    "1,2,9 * * * *": "At minutes 1, 2 and 9 past every hour",
    "* * * * * *": "Every second",
    "*/10 * * * * *": "Every 10 seconds",
    "5,6 0 3 * * *": "At seconds 5 and 6 of minute 0, during hour 3 (Europe/Berlin)",
    "30 */5 * * * *": "Every 5 minutes, at second 30",
    "0 0 * * 6,0": "At 00:00, Saturday and Sunday (Europe/Berlin)",
    "0 0 * * 1,3,5": "At 00:00, Monday, Wednesday and Friday (Europe/Berlin)",
    "0 0 1 * *": "At 00:00, on the 1st of the month (Europe/Berlin)",
    "0 0 2,3,11-13,22 * *": (
        "At 00:00, on the 2nd, the 3rd, the 11th to 13th and the 22nd of the month"
        " (Europe/Berlin)"
    ),
    "0 0 L * *": "At 00:00, on the last day of the month (Europe/Berlin)",
    "0 0 15W,LW * *": (
        "At 00:00, on the weekday nearest the 15th and the last weekday of the month"
        " (Europe/Berlin)"
    ),
    "0 0 * * 2#2": "At 00:00, the second Tuesday of the month (Europe/Berlin)",
    "0 0 * * 5L": "At 00:00, the last Friday of the month (Europe/Berlin)",
    "0 0 13 * 5": "At 00:00, on the 13th of the month and on Friday (Europe/Berlin)",
    "0 0 */2 * 1": (
        "At 00:00, on every 2nd day of the month if it is Monday (Europe/Berlin)"
    ),
    "0 0 * 6-8 *": "At 00:00, in June to August (Europe/Berlin)",
    "0 0 4 7 *": "At 00:00, on the 4th of the month in July (Europe/Berlin)",
    "* * * 1 *": "Every minute, in January (Europe/Berlin)",
}


@pytest.mark.parametrize("expression", DESCRIPTIONS)
def test_expressions_in_english(expression: str) -> None:
    said = occurrences_of(expression, "Europe/Berlin").describe()
    assert said == DESCRIPTIONS[expression]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "Every second"),
        (60, "Every minute"),
        (900, "Every 15 minutes"),
        (5400, "Every 1 hour 30 minutes"),
        (86_400, "Every day"),
        (180_000, "Every 2 days 2 hours"),
        (1.25, "Every 1.25 seconds"),
        (60.5, "Every 1 minute 0.5 seconds"),
    ],
)
def test_intervals_in_english(seconds: float, text: str) -> None:
    trigger = Every(timedelta(seconds=seconds))
    assert compile_trigger(trigger, identity="a", anchor=ANCHOR).describe() == text


@pytest.mark.parametrize("cadence", ["minute", "hour", "day", "week", "month"])
def test_a_cadence_shows_the_instant_assigned(cadence: str) -> None:
    trigger = Every(cadence, "Asia/Tokyo")  # type: ignore[arg-type]  # of the list
    occurrences = compile_trigger(trigger, identity="tenant/name", anchor=ANCHOR)
    (item,) = occurrences.upcoming(ANCHOR, 1)
    local = datetime.fromisoformat(item.local)
    time = f"{local:%H:%M:%S} (Asia/Tokyo)"
    expected = {
        "minute": f"Once a minute, at second {local.second}",
        "hour": f"Once an hour, at {local.minute}:{local:%S} past (Asia/Tokyo)",
        "day": f"Once a day, at {time}",
        "week": f"Once a week, on {local:%A} at {time}",
        "month": f"Once a month, on the {local.day}th at {time}",
    }
    assert occurrences.describe() == expected[cadence]


def test_an_instant_in_english() -> None:
    trigger = At(datetime(2031, 2, 3, 4, 5, tzinfo=UTC), "Europe/Berlin")
    said = compile_trigger(trigger, identity="a", anchor=ANCHOR).describe()
    assert said == "Once, at 2031-02-03T05:05:00+01:00"
