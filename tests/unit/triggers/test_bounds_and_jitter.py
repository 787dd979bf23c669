"""What bounds a trigger, and what delays its occurrences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from crony.triggers import bounded, jittered
from tests.unit.triggers.reference import occurrences_of

HOURLY = occurrences_of("0 * * * *")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_the_start_is_within_and_the_end_is_not() -> None:
    occurrences = bounded(
        HOURLY, not_before=None, start_at=NOON, end_at=NOON + 3 * HOUR
    )
    within = [NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert occurrences.first(NOON - 9 * HOUR) == NOON
    assert occurrences.first(NOON, inclusive=True) == NOON
    assert occurrences.first(NOON) == NOON + HOUR
    assert occurrences.first(NOON + 2 * HOUR) is None
    assert occurrences.between(NOON - HOUR, NOON + 9 * HOUR, limit=9) == within
    assert occurrences.between(NOON, NOON + HOUR, limit=9) == [NOON + HOUR]
    assert occurrences.count(NOON - HOUR, NOON + 9 * HOUR) == 3
    shown = occurrences.upcoming(NOON - 9 * HOUR, 9)
    assert [item.at for item in shown] == within
    assert occurrences.describe() == HOURLY.describe()


def test_the_later_of_two_lower_bounds_counts() -> None:
    for not_before, start_at in ((NOON, NOON - HOUR), (NOON - HOUR, NOON)):
        occurrences = bounded(
            HOURLY, not_before=not_before, start_at=start_at, end_at=None
        )
        assert occurrences.first(NOON - 9 * HOUR) == NOON
        assert occurrences.count(NOON - 9 * HOUR, NOON + HOUR) == 2


def test_without_bounds_nothing_is_left_out() -> None:
    occurrences = bounded(HOURLY, not_before=None, start_at=None, end_at=None)
    assert occurrences.count(NOON, NOON + 24 * HOUR) == 24
    assert occurrences.first(NOON - MINUTE) == NOON


def test_an_end_before_the_start_leaves_nothing() -> None:
    occurrences = bounded(HOURLY, not_before=NOON, start_at=None, end_at=NOON)
    assert occurrences.first(NOON - HOUR) is None
    assert occurrences.between(NOON - HOUR, NOON + HOUR, limit=9) == []
    assert occurrences.count(NOON - HOUR, NOON + HOUR) == 0
    assert occurrences.upcoming(NOON - HOUR, 9) == []


def test_bounds_at_the_ends_of_time_are_no_fault() -> None:
    first = datetime.min.replace(tzinfo=UTC)
    last = datetime.max.replace(tzinfo=UTC)
    everything = bounded(HOURLY, not_before=None, start_at=first, end_at=last)
    assert everything.first(NOON) == NOON + HOUR
    assert everything.count(NOON, NOON + HOUR) == 1
    assert everything.first(first) is not None
    assert everything.first(last) is None
    nothing = bounded(HOURLY, not_before=None, start_at=None, end_at=first)
    assert nothing.count(NOON, NOON + HOUR) == 0
    assert nothing.first(NOON) is None


def test_jitter_is_the_same_each_time_and_differs_between_schedules() -> None:
    def due(schedule: str) -> datetime:
        return jittered(schedule, NOON, jitter=30 * MINUTE, following=NOON + HOUR)

    assert due("sch_1") == due("sch_1")
    delays = [due(f"sch_{n}") - NOON for n in range(400)]
    assert all(timedelta(0) <= delay < 30 * MINUTE for delay in delays)
    tenths = [sum(delay // (3 * MINUTE) == n for delay in delays) for n in range(10)]
    assert min(tenths) >= 20
    assert all(delay % timedelta(milliseconds=1) == timedelta(0) for delay in delays)


def test_without_jitter_an_occurrence_is_due_at_its_instant() -> None:
    due = jittered("sch_1", NOON, jitter=timedelta(0), following=None)
    assert due == NOON


def test_jitter_of_a_last_occurrence_keeps_its_length() -> None:
    delays = [
        jittered(f"sch_{n}", NOON, jitter=48 * HOUR, following=None) - NOON
        for n in range(100)
    ]
    assert max(delays) > 24 * HOUR
    assert max(delays) < 48 * HOUR


@settings(max_examples=100, deadline=None)
@given(
    schedule=st.text(max_size=20),
    jitter=st.timedeltas(timedelta(0), timedelta(days=400)),
    expression=st.sampled_from(
        ["* * * * * *", "*/7 * * * *", "30 2 * * *", "0 0 L * *"]
    ),
)
def test_jitter_never_moves_an_occurrence_past_the_next(
    schedule: str, jitter: timedelta, expression: str
) -> None:
    nominal = [
        item.at
        for item in occurrences_of(expression, "America/New_York").upcoming(NOON, 12)
    ]
    for occurrence, following in pairwise(nominal):
        due = jittered(schedule, occurrence, jitter=jitter, following=following)
        assert occurrence <= due < following
        assert due - occurrence < max(jitter, timedelta(milliseconds=1))
