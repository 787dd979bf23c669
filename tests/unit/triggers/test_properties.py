"""Random expressions, zones and instants against the slow way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crony.model.trigger import DstRule
from crony.triggers import Occurrences
from tests.unit.triggers.reference import (
    HOUR,
    Fields,
    all_changes,
    occurrences_of,
    walked,
    zone_names,
)

pytestmark = pytest.mark.xdist_group("zones")

ZONES = sorted(zone_names())
MICROSECOND = timedelta(microseconds=1)


def some(low: int, high: int) -> st.SearchStrategy[frozenset[int] | None]:
    values = st.frozensets(st.integers(low, high), min_size=1, max_size=5)
    return st.none() | values


minute_fields = st.builds(
    Fields, some(0, 59), some(0, 23), some(1, 28), some(1, 12), some(0, 6)
)
second_fields = st.builds(
    Fields, some(0, 59), some(0, 3), seconds=some(0, 59).filter(lambda s: s != {0})
)
rules = st.builds(
    DstRule,
    st.sampled_from(["shift", "skip"]),
    st.sampled_from(["first", "second", "both"]),
)
BIRTH = datetime(1975, 1, 1, tzinfo=UTC)
instants = st.timedeltas(timedelta(0), timedelta(days=42_000)).map(BIRTH.__add__)


@st.composite
def moments_of_change(draw: st.DrawFn) -> tuple[str, int]:
    moving = [name for name, found in all_changes().items() if found]
    timezone = draw(st.sampled_from(moving))
    change = draw(st.sampled_from(all_changes()[timezone]))
    return timezone, change.at


@settings(max_examples=200, deadline=None)
@given(place=moments_of_change(), fields=minute_fields, rule=st.none() | rules)
def test_minutes_near_a_change_are_those_of_a_walk(
    place: tuple[str, int], fields: Fields, rule: DstRule | None
) -> None:
    timezone, at = place
    start, end = at - 5 * HOUR, at + 5 * HOUR
    expected = walked(
        fields, timezone, rule or fields.rule(), start=start, end=end, step=60
    )
    found = within(occurrences_of(fields.text(), timezone, rule or "cron"), start, end)
    assert found == expected


@settings(max_examples=40, deadline=None)
@given(place=moments_of_change(), fields=second_fields, rule=st.none() | rules)
def test_seconds_near_a_change_are_those_of_a_walk(
    place: tuple[str, int], fields: Fields, rule: DstRule | None
) -> None:
    timezone, at = place
    start, end = at - 3000, at + 5000
    expected = walked(
        fields, timezone, rule or fields.rule(), start=start, end=end, step=1
    )
    found = within(occurrences_of(fields.text(), timezone, rule or "cron"), start, end)
    assert found == expected


@settings(max_examples=50, deadline=None)
@given(
    fields=minute_fields, timezone=st.sampled_from(ZONES), start=instants, rule=rules
)
def test_any_two_days_are_those_of_a_walk(
    fields: Fields, timezone: str, start: datetime, rule: DstRule
) -> None:
    first = int(start.timestamp()) // 60 * 60
    end = first + 48 * HOUR
    expected = walked(fields, timezone, rule, start=first, end=end, step=60)
    assert within(occurrences_of(fields.text(), timezone, rule), first, end) == expected


@settings(max_examples=150, deadline=None)
@given(
    fields=minute_fields | second_fields,
    timezone=st.sampled_from(ZONES),
    start=instants,
    rule=rules,
    length=st.timedeltas(timedelta(0), timedelta(days=900)),
)
def test_answers_agree_with_each_other(
    fields: Fields, timezone: str, start: datetime, rule: DstRule, length: timedelta
) -> None:
    occurrences = occurrences_of(fields.text(), timezone, rule)
    found = occurrences.between(start, start + length, limit=300)
    assert found == sorted(set(found))
    assert all(start < instant <= start + length for instant in found)
    end = found[-1] if len(found) == 300 else start + length
    assert occurrences.count(start, end) == len(found)
    shown = [item.at for item in occurrences.upcoming(start, len(found))]
    assert shown == found
    following = start
    for instant in found:
        following_again = occurrences.first(following)
        assert following_again == instant
        assert occurrences.first(instant, inclusive=True) == instant
        assert occurrences.first(instant - MICROSECOND) == instant
        following = instant


@settings(max_examples=60, deadline=None)
@given(
    fields=minute_fields,
    timezone=st.sampled_from(ZONES),
    moments=st.tuples(instants, instants, instants),
)
def test_counts_of_two_parts_make_the_count_of_the_whole(
    fields: Fields, timezone: str, moments: tuple[datetime, datetime, datetime]
) -> None:
    occurrences = occurrences_of(fields.text(), timezone)
    start, middle, end = sorted(moments)
    whole = occurrences.count(start, end)
    assert occurrences.count(start, middle) + occurrences.count(middle, end) == whole


def test_every_second_of_decades_is_counted_at_once() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = datetime(2066, 1, 1, tzinfo=UTC)
    seconds = (end - start) // timedelta(seconds=1)
    for timezone in ("UTC", "America/New_York", "Australia/Lord_Howe"):
        assert occurrences_of("* * * * * *", timezone).count(start, end) == seconds


def test_nothing_is_counted_backwards() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert occurrences_of("* * * * *").count(start, start - timedelta(days=9)) == 0
    assert occurrences_of("* * * * *").count(start, start) == 0
    assert occurrences_of("* * * * *").between(start, start, limit=5) == []


def within(occurrences: Occurrences, start: int, end: int) -> list[datetime]:
    """Return the occurrences from ``start`` up to, not including, ``end``."""
    return occurrences.between(
        datetime.fromtimestamp(start, UTC) - MICROSECOND,
        datetime.fromtimestamp(end, UTC) - MICROSECOND,
        limit=100_000,
    )
