"""Intervals from an anchor, and cadences of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crony import errors
from crony.model.trigger import Cadence, Every
from crony.triggers import Occurrences, compile_trigger

ANCHOR = datetime(2026, 3, 1, 10, 20, 30, 500_000, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def every(
    interval: timedelta | Cadence,
    *,
    timezone: str = "UTC",
    identity: str = "tenant/name",
    anchor: datetime = ANCHOR,
) -> Occurrences:
    return compile_trigger(Every(interval, timezone), identity=identity, anchor=anchor)


def test_the_anchor_is_the_first_occurrence() -> None:
    occurrences = every(timedelta(minutes=15))
    assert occurrences.first(ANCHOR - timedelta(days=900)) == ANCHOR
    assert occurrences.first(ANCHOR, inclusive=True) == ANCHOR
    assert occurrences.first(ANCHOR) == ANCHOR + timedelta(minutes=15)


def test_nothing_drifts_after_a_million_occurrences() -> None:
    interval = timedelta(seconds=7, milliseconds=1)
    distant = ANCHOR + 1_000_000 * interval
    occurrences = every(interval)
    assert occurrences.first(distant - MICROSECOND) == distant
    assert occurrences.count(ANCHOR, distant) == 1_000_000


def test_an_anchor_is_cut_to_the_milliseconds_that_are_kept() -> None:
    finer = ANCHOR.replace(microsecond=500_999)
    found = every(timedelta(hours=1), anchor=finer).first(ANCHOR)
    assert found == ANCHOR + timedelta(hours=1)


def test_an_interval_ignores_changes_of_the_clock() -> None:
    occurrences = every(timedelta(hours=24), timezone="America/New_York")
    shown = occurrences.upcoming(datetime(2026, 3, 7, 12, tzinfo=UTC), 2)
    assert [item.local for item in shown] == [
        "2026-03-08T06:20:30.500-04:00",
        "2026-03-09T06:20:30.500-04:00",
    ]


def test_an_interval_ends_with_the_calendar() -> None:
    late = datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)
    occurrences = every(timedelta(days=300_000))
    assert occurrences.first(late) is None
    assert occurrences.upcoming(late, 3) == []


@settings(max_examples=200, deadline=None)
@given(
    interval=st.integers(1000, 10**10).map(lambda ms: timedelta(milliseconds=ms)),
    start=st.datetimes().filter(lambda t: 1990 < t.year < 2100),
    length=st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_every_answer_is_anchor_plus_multiples(
    interval: timedelta, start: datetime, length: timedelta
) -> None:
    start = start.replace(tzinfo=UTC)
    occurrences = every(interval)
    found = occurrences.between(start, start + length, limit=200)
    assert all((instant - ANCHOR) % interval == timedelta(0) for instant in found)
    assert all(instant >= ANCHOR for instant in found)
    assert all(later - earlier == interval for earlier, later in pairwise(found))
    first = occurrences.first(start)
    assert first is not None
    assert found[:1] == ([first] if first <= start + length else [])
    assert first - interval <= start or first == ANCHOR
    if len(found) < 200:
        assert occurrences.count(start, start + length) == len(found)
    assert [item.at for item in occurrences.upcoming(start, len(found))] == found


@pytest.mark.parametrize(
    ("interval", "detail"),
    [
        (timedelta(milliseconds=999), "0.999s is shorter than 1s"),
        (timedelta(0), "0s is shorter than 1s"),
        (timedelta(seconds=-5), "-5s is shorter than 1s"),
        (timedelta(seconds=1, microseconds=10), "1.000010s is finer than a millisec"),
        ("hours", 'nearest: "hour"'),
        ("fortnight", '"fortnight" is neither a duration nor one of minute, hour'),
    ],
)
def test_refused_intervals_say_why(interval: timedelta | Cadence, detail: str) -> None:
    with pytest.raises(errors.InvalidTrigger) as caught:
        every(interval)
    assert caught.value.field == "every"
    assert detail in caught.value.detail


@pytest.mark.parametrize("cadence", ["minute", "hour", "day", "week", "month"])
@pytest.mark.parametrize(
    "timezone", ["UTC", "Europe/Berlin", "America/New_York", "America/Havana"]
)
def test_a_cadence_has_one_occurrence_in_each_period(
    cadence: Cadence, timezone: str
) -> None:
    zone = ZoneInfo(timezone)
    # Both changes of the clock lie within a year; a minute needs fewer days.
    start = datetime(2026, 3, 1, tzinfo=zone)
    days = 2 if cadence == "minute" else 360
    end = (start.astimezone(UTC) + timedelta(days=days)).astimezone(zone)
    found = every(cadence, timezone=timezone, identity="a/b").between(
        start, end, limit=10_000
    )
    periods = [period_of(instant.astimezone(zone), cadence) for instant in found]
    assert len(periods) == len(set(periods))
    walked = {
        period_of(
            (start.astimezone(UTC) + n * step_of(cadence)).astimezone(zone), cadence
        )
        for n in range(timedelta(days=days) // step_of(cadence))
    }
    # The first and the last period are there in part only.
    assert len(walked - set(periods)) <= 2


def step_of(cadence: Cadence) -> timedelta:
    return timedelta(minutes=1) if cadence == "minute" else timedelta(hours=1)


def period_of(local: datetime, cadence: Cadence) -> str:
    """Name the period of the local calendar that an instant lies in."""
    day = local.date()
    sunday = day - timedelta(days=local.isoweekday() % 7)
    return {
        # The offset tells the two passes of a repeated hour apart.
        "minute": f"{local:%Y-%m-%d %H:%M %z}",
        "hour": f"{local:%Y-%m-%d %H %z}",
        "day": f"{day}",
        "week": f"{sunday}",
        "month": f"{day:%Y-%m}",
    }[cadence]


@pytest.mark.parametrize("cadence", ["minute", "hour", "day", "week", "month"])
def test_cadences_spread_over_their_period_and_stay(cadence: Cadence) -> None:
    start = datetime(2026, 2, 1, tzinfo=UTC)

    def assigned(identity: str) -> datetime:
        found = every(cadence, identity=identity).first(start, inclusive=True)
        assert found is not None
        return found

    length = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}.get(
        cadence, 28 * 86400
    )
    places = [(assigned(f"job-{n}") - start).total_seconds() for n in range(400)]
    assert all(0 <= place < length for place in places)
    tenths = [sum(place * 10 // length == n for place in places) for n in range(10)]
    assert min(tenths) >= 20
    assert assigned("job-1") == assigned("job-1")


def test_a_cadence_does_not_move_with_the_anchor() -> None:
    later = every("day", anchor=ANCHOR + timedelta(hours=5))
    assert later.first(ANCHOR) == every("day").first(ANCHOR)
