"""Stretches: where occurrences lie in a span, by arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crony.model.trigger import Cron, Every, Trigger
from crony.scheduler.stretches import latest, nth, stretch
from crony.triggers import bounded, compile_trigger

ANCHOR = datetime(2026, 3, 20, 12, tzinfo=UTC)
TRIGGERS: list[Trigger] = [
    Every(timedelta(seconds=45)),
    Every("hour"),
    Cron("*/5 * * * *"),
    Cron("30 2,12-14 * * *", "Europe/Berlin"),
]


@given(
    trigger=st.sampled_from(TRIGGERS),
    skipped=st.timedeltas(timedelta(), timedelta(days=20)),
    span=st.timedeltas(timedelta(), timedelta(hours=30)),
)
@settings(max_examples=200, deadline=None)
def test_a_stretch_is_what_going_through_it_one_by_one_finds(
    trigger: Trigger, skipped: timedelta, span: timedelta
) -> None:
    compiled = compile_trigger(trigger, identity="x", anchor=ANCHOR)
    due = bounded(compiled, not_before=ANCHOR, start_at=None, end_at=None)
    low = ANCHOR + skipped // timedelta(seconds=1) * timedelta(seconds=1)
    high = low + span // timedelta(milliseconds=1) * timedelta(milliseconds=1)
    one_by_one = due.between(low - timedelta(milliseconds=1), high, limit=10_000)
    found = stretch(due, low, high)
    assert latest(due, low, high) == (one_by_one[-1] if one_by_one else None)
    if not one_by_one:
        assert found is None
        return
    assert found is not None
    assert (found.first, found.last) == (one_by_one[0], one_by_one[-1])
    assert found.count == len(one_by_one)
    middle = len(one_by_one) // 2
    assert nth(due, low, high, middle + 1) == one_by_one[middle]


@pytest.mark.parametrize("expression", ["* * * * * *", "0 0 29 2 *"])
def test_the_last_of_many_years_is_found_at_once(expression: str) -> None:
    compiled = compile_trigger(Cron(expression), identity="x", anchor=ANCHOR)
    due = bounded(compiled, not_before=None, start_at=None, end_at=None)
    end = datetime(2126, 1, 1, tzinfo=UTC)
    last = latest(due, ANCHOR, end)
    assert last is not None
    assert due.first(last) is not None
    assert due.count(last, end) == 0
    assert due.count(last - timedelta(milliseconds=1), end) == 1
