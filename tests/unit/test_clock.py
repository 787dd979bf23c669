"""The store's clock, carried by the node."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crony.clock import StoreClock, cut

START = datetime(2026, 11, 20, 22, tzinfo=UTC)


class Hardware:
    """A host and its store, whose clocks a test moves by hand."""

    def __init__(self) -> None:
        self.wall = START
        self.boot = timedelta(hours=5)
        self.awake = timedelta(hours=4)
        #: How long the store takes before and after it looks at its clock.
        self.question = self.answer = timedelta(0)

    def measured(self) -> datetime:
        self.run(self.question)
        wall = self.wall
        self.run(self.answer)
        return wall

    def run(self, duration: timedelta) -> None:
        self.wall += duration
        self.boot += duration
        self.awake += duration

    def suspend(self, duration: timedelta) -> None:
        self.wall += duration
        self.boot += duration

    def clock(self) -> StoreClock:
        return StoreClock(
            self.measured,
            boottime=lambda: self.boot,
            monotonic=lambda: self.awake,
        )


def test_clock_goes_on_between_measurements_without_asking_the_store() -> None:
    host = Hardware()
    clock = host.clock()
    host.run(timedelta(seconds=90))
    host.wall = START  # whatever the store would say now
    assert clock.now() == START + timedelta(seconds=90)


def test_clock_counts_the_time_of_a_suspend() -> None:
    host = Hardware()
    clock = host.clock()
    host.suspend(timedelta(hours=3))
    assert clock.now() == START + timedelta(hours=3)


def test_clock_is_unsettled_after_its_start_a_step_and_a_suspend() -> None:
    host = Hardware()
    clock = host.clock()
    assert clock.settled_for() == timedelta(0)
    host.run(timedelta(minutes=2))
    clock.synchronise()
    assert clock.settled_for() == timedelta(minutes=2)

    host.wall -= timedelta(seconds=30)
    assert clock.synchronise() == timedelta(seconds=-30)
    assert clock.settled_for() == timedelta(0)
    assert clock.now() == host.wall

    host.run(timedelta(minutes=2))
    host.suspend(timedelta(minutes=5))
    clock.synchronise()
    assert clock.settled_for() == timedelta(0)


def test_small_corrections_do_not_unsettle_the_clock() -> None:
    host = Hardware()
    clock = host.clock()
    host.run(timedelta(minutes=2))
    host.wall += timedelta(milliseconds=40)
    clock.synchronise()
    assert clock.now() == host.wall
    assert clock.settled_for() == timedelta(minutes=2)


@pytest.mark.parametrize("late", ["question", "answer"])
def test_a_slow_answer_of_the_store_moves_the_clock_no_further_than_it_must(
    late: str,
) -> None:
    host = Hardware()
    clock = host.clock()
    host.run(timedelta(minutes=2))
    setattr(host, late, timedelta(seconds=5))
    assert clock.synchronise() == timedelta(0)
    assert clock.now() == host.wall
    assert clock.settled_for() == timedelta(minutes=2, seconds=5)
    # What no delay explains is a step all the same.
    host.wall += timedelta(seconds=30)
    assert clock.synchronise() >= timedelta(seconds=25)
    assert clock.settled_for() == timedelta(0)
    host.question = host.answer = timedelta(milliseconds=2)
    clock.synchronise()
    assert clock.now() == host.wall


def test_step_forward_of_more_than_a_day_is_held_until_a_new_start() -> None:
    host = Hardware()
    clock = host.clock()
    host.run(timedelta(minutes=1))
    before = clock.now()
    host.wall += timedelta(days=365)

    clock.synchronise()
    assert clock.held()
    assert clock.now() == before

    clock.synchronise()
    assert clock.held()
    started_anew = host.clock()
    started_anew.synchronise()
    assert not started_anew.held()
    assert started_anew.now() == host.wall


def test_held_clock_goes_on_by_itself_when_the_step_is_undone() -> None:
    host = Hardware()
    clock = host.clock()
    host.wall += timedelta(days=3)
    clock.synchronise()
    host.wall -= timedelta(days=3)
    clock.synchronise()
    assert not clock.held()
    assert clock.now() == host.wall


def test_an_instant_is_cut_and_not_rounded() -> None:
    instant = datetime(2026, 11, 20, 12, 0, 0, 1_999, tzinfo=UTC)
    assert cut(instant) == datetime(2026, 11, 20, 12, 0, 0, 1_000, tzinfo=UTC)
