"""Ids: their shape, their order, and what they are functions of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crony import clock
from crony.model import ids

NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)
instants = st.timedeltas(
    min_value=timedelta(0), max_value=timedelta(days=365 * 8000)
).map(lambda since: clock.EPOCH + since)


@given(instants, instants, st.binary(min_size=10, max_size=10))
def test_timed_ids_sort_by_their_instant(
    one: datetime, other: datetime, entropy: bytes
) -> None:
    first = ids.timed(ids.SCHEDULE, one, entropy=entropy)
    second = ids.timed(ids.SCHEDULE, other, entropy=entropy)
    if ids.milliseconds(one) < ids.milliseconds(other):
        assert first < second
    assert ids.looks_like_id(first)
    assert ids.milliseconds(one) == ids.milliseconds(ids.instant_in(first) or NOW)


def test_there_is_no_instant_in_a_text_that_is_no_id() -> None:
    assert ids.instant_in("nightly-report") is None


def test_run_id_is_the_same_on_every_node_and_differs_by_each_part() -> None:
    base = ids.run_id("sch_1", "schedule", NOW)
    assert base == ids.run_id("sch_1", "schedule", NOW)
    others = {
        ids.run_id("sch_2", "schedule", NOW),
        ids.run_id("sch_1", "manual", NOW),
        ids.run_id("sch_1", "schedule", NOW + timedelta(milliseconds=1)),
        ids.run_id("sch_1", "schedule", NOW, "1"),
    }
    assert len(others | {base}) == 5
    assert ids.looks_like_id(base)


def test_a_name_is_no_id() -> None:
    assert not ids.looks_like_id("nightly-report")
    assert not ids.looks_like_id("run_short")


def test_a_lower_case_id_is_taken_for_an_id_too() -> None:
    name = ids.run_id("sch_1", "schedule", NOW).lower()
    assert ids.looks_like_id(name)


def test_what_is_made_in_the_name_of_an_id_has_an_id_of_its_own_each_time() -> None:
    base = ids.timed(ids.SCHEDULE, NOW, entropy=b"0123456789")
    made = [ids.numbered(base, number) for number in range(100)]
    assert made == [ids.numbered(base, number) for number in range(100)]
    assert len({base, *made}) == 101
    later = ids.timed(ids.SCHEDULE, NOW + timedelta(milliseconds=1), entropy=b"\0" * 10)
    assert all(ids.looks_like_id(id) and id < later for id in made)
    assert ids.numbered(later, 0) not in made
