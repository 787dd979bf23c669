"""A fixed handful of expressions around every change of offset of every zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crony.model.trigger import DstRule
from crony.triggers.zone import zone_named
from tests.unit.triggers.reference import (
    DAY,
    HOUR,
    Change,
    Fields,
    all_changes,
    occurrences_of,
    offset_at,
    walked,
)

# What all zones change is looked up once, which takes seconds.
pytestmark = pytest.mark.xdist_group("zones")

HANDFUL = {
    "half past every hour from 0 to 3": Fields(
        frozenset({30}), frozenset({0, 1, 2, 3, 23})
    ),
    "midnight": Fields(frozenset({0}), frozenset({0})),
    "every hour": Fields(frozenset({0}), None),
    "every quarter": Fields(frozenset({0, 15, 30, 45}), None),
    "each minute of hour 1 and 2": Fields(None, frozenset({1, 2})),
    "a late minute on Sundays and the 1st": Fields(
        frozenset({45}), frozenset({1, 2, 23}), frozenset({1}), None, frozenset({0})
    ),
}


def distinct_changes() -> dict[Change, str]:
    """Return each change that happens anywhere, with one zone that makes it."""
    return {change: name for name, found in all_changes().items() for change in found}


@pytest.mark.parametrize("name", HANDFUL)
def test_occurrences_are_those_of_a_walk_around_every_change(name: str) -> None:
    fields = HANDFUL[name]
    for change, timezone in distinct_changes().items():
        # A whole day can be skipped, so the walk begins and ends beyond one.
        start = (change.at - 4 * HOUR) // 60 * 60
        end = start + 8 * HOUR
        compare(fields, timezone, fields.rule(), start=start, end=end, step=60)


@pytest.mark.parametrize("gap", ["shift", "skip"])
@pytest.mark.parametrize("fold", ["first", "second", "both"])
def test_explicit_rules_are_those_of_a_walk(gap: str, fold: str) -> None:
    rule = DstRule(gap, fold)  # type: ignore[arg-type]  # parametrize gives strings
    fields = HANDFUL["each minute of hour 1 and 2"]
    for change, timezone in list(distinct_changes().items())[::2]:
        start = (change.at - 4 * HOUR) // 60 * 60
        compare(fields, timezone, rule, start=start, end=start + 8 * HOUR, step=60)


def test_a_day_that_was_skipped_as_a_whole_shifts_to_the_next() -> None:
    fields = HANDFUL["half past every hour from 0 to 3"]
    start = int(datetime(2011, 12, 29, tzinfo=UTC).timestamp())
    for rule in (DstRule("shift", "first"), DstRule("skip", "both")):
        compare(fields, "Pacific/Apia", rule, start=start, end=start + 3 * DAY, step=60)


def test_every_change_of_every_zone_is_found() -> None:
    for name, expected in all_changes().items():
        zone = zone_named(name)
        for change in expected:
            stretch = zone.stretch(change.at)
            assert stretch.begin == change.at, name
            assert stretch.offset == change.after, name
            assert zone.stretch(change.at - 1).end == change.at, name
            assert zone.stretch(change.at - 1).offset == change.before, name


def test_a_zone_without_changes_is_one_long_offset() -> None:
    assert not all_changes()["Asia/Tokyo"]
    for year in range(2020, 2040):
        moment = int(datetime(year, 7, 1, tzinfo=UTC).timestamp())
        stretch = zone_named("Asia/Tokyo").stretch(moment)
        assert stretch.offset == offset_at(zone_named("Asia/Tokyo").info, moment)
        assert stretch.begin <= moment < stretch.end
        assert stretch.opening is None
        assert stretch.closing is None


def compare(
    fields: Fields, timezone: str, rule: DstRule, *, start: int, end: int, step: int
) -> None:
    """Hold `between`, `first` and `count` against the walk."""
    expected = walked(fields, timezone, rule, start=start, end=end, step=step)
    occurrences = occurrences_of(fields.text(), timezone, rule)
    before = datetime.fromtimestamp(start, UTC) - timedelta(microseconds=1)
    last = datetime.fromtimestamp(end, UTC) - timedelta(microseconds=1)
    found = occurrences.between(before, last, limit=10_000)
    assert found == expected, (timezone, fields.text(), rule)
    assert occurrences.count(before, last) == len(expected)
    if fields.rule() == rule:
        by_default = occurrences_of(fields.text(), timezone)
        assert by_default.between(before, last, limit=10_000) == expected
