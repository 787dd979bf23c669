"""What is due becomes runs in time, and nothing twice, whatever the clock does."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from crony import errors
from crony.model.state import Reason, RunState, ScheduleState
from crony.model.trigger import Cron, Every
from crony.scheduler import materializer, ticker
from crony.scheduler.wakes import Wake
from tests.unit.scheduler.stage import DAY, HOUR, MINUTE, SECOND, Stage, at, policy

MILLISECOND = timedelta(milliseconds=1)


def test_a_run_is_made_a_few_seconds_ahead(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:30"))
    stage.tick(24 * SECOND)
    assert stage.runs(schedule) == []
    stage.tick(1 * SECOND)
    assert stage.run(schedule).scheduled_for == at("12:00:30")


def test_two_nodes_make_one_run(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:30"))
    other = stage.node()
    now = stage.advance(30 * SECOND)
    other.ticker.tick(now)
    stage.service.ticker.tick(now)
    assert stage.run(schedule).scheduled_for == at("12:00:30")


def test_a_node_without_the_duty_stands_by(stage: Stage) -> None:
    stage.tick()
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:06"))
    stage.node().ticker.tick(stage.advance(1.5 * SECOND))
    assert stage.runs(schedule) == []


def test_another_node_takes_over_when_the_holder_is_gone(stage: Stage) -> None:
    stage.tick()
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:08"))
    stage.node().ticker.tick(stage.advance(4 * SECOND))
    assert len(stage.runs(schedule)) == 1


def test_the_duty_is_taken_the_moment_it_is_over(stage: Stage) -> None:
    held_at = stage.clock.now()
    stage.tick()
    other = stage.node().ticker
    before = ticker.PROLONG - 50 * MILLISECOND
    assert other.tick(stage.advance(before)) == held_at + ticker.TTL
    stage.tick(100 * MILLISECOND)
    prolonged_at = stage.clock.now()
    stage.advance(held_at + ticker.TTL - stage.clock.now())
    # It was prolonged meanwhile, and is asked for again when that is over.
    assert other.tick(stage.clock.now()) == prolonged_at + ticker.TTL
    left = prolonged_at + ticker.TTL - stage.clock.now()
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:07.400"))
    other.tick(stage.advance(left - MILLISECOND))
    assert stage.runs(schedule) == []
    other.tick(stage.advance(1 * MILLISECOND))
    assert len(stage.runs(schedule)) == 1


def test_a_node_that_stands_by_leaves_the_store_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.tick()
    other = stage.node().ticker
    other.tick(stage.clock.now())

    def asked(*_: object, **__: object) -> tuple[bool, None]:
        raise AssertionError("it asked")

    monkeypatch.setattr(stage.store.duties, "hold", asked)
    assert not other.hears(Wake(ready=frozenset({("default", "default")})))
    assert other.hears(Wake(tick=True))
    for _ in range(10):
        other.tick(stage.advance(150 * MILLISECOND))


def test_a_duty_that_was_given_up_is_taken_at_once(stage: Stage) -> None:
    stage.tick()
    other = stage.node().ticker
    other.tick(stage.advance(100 * MILLISECOND))
    stage.wakes.subscribe(other.hears)
    stage.service.ticker.stop()
    assert stage.news[-1].duties == {"tick"}
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:06"))
    other.tick(stage.advance(SECOND))
    assert len(stage.runs(schedule)) == 1


def test_a_holder_that_slept_too_long_stands_by_when_it_wakes(stage: Stage) -> None:
    stage.tick()
    stage.node().ticker.tick(stage.advance(2 * SECOND))
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:07.500"))
    stage.tick(600 * MILLISECOND)
    assert stage.runs(schedule) == []


def test_a_step_back_leaves_the_duty_to_nobody_for_long(stage: Stage) -> None:
    stage.tick()
    other = stage.node().ticker
    other.tick(stage.advance(SECOND))
    stage.clock.set(at("11:59:30"))
    schedule = stage.add(trigger=Every(HOUR), start_at=at("11:59:36"))
    other.tick(stage.advance(2 * SECOND))
    assert len(stage.runs(schedule)) == 1


def test_what_came_due_while_nothing_ticked_catches_up(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE), start_at=at("12:01:00"))
    stage.tick()
    stage.tick(3 * MINUTE)
    runs = stage.runs(schedule)
    assert [run.catch_up for run in runs] == [True, True, True]
    stage.live(MINUTE)
    assert not stage.runs(schedule)[-1].catch_up


def test_what_is_older_than_a_day_is_missed_as_one_record(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR), start_at=at("13:00:00"))
    stage.tick()
    stage.tick(3 * DAY + timedelta(minutes=30))
    missed, *runs = stage.runs(schedule)
    assert (missed.state, missed.reason) == (RunState.MISSED, Reason.MISFIRE)
    assert missed.scheduled_for == at("13:00:00")
    assert missed.range_until == at("12:00:00") + 2 * DAY
    assert missed.range_count == 48
    assert len(runs) == 24


def test_much_to_catch_up_with_comes_in_bounded_steps(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materializer, "_RUNS", 20)
    busy = stage.add(trigger=Every(SECOND), start_at=at("12:00:30"))
    other = stage.add(trigger=Every(HOUR), start_at=at("12:01:00"))
    now = stage.advance(90 * SECOND)
    assert stage.service.ticker.tick(now) == now
    assert len(stage.runs(busy)) == 10
    assert len(stage.runs(other)) == 1
    stage.tick()
    assert len(stage.runs(busy)) == 66


def test_one_bad_row_does_not_stop_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = stage.add(trigger=Every(HOUR), start_at=at("12:00:20"))
    good = stage.add(trigger=Every(HOUR), start_at=at("12:00:21"))
    settle = materializer.settle

    def fail(schedule, how):  # type: ignore[no-untyped-def]
        if schedule.id == bad.id:
            raise errors.InvalidTrigger("timezone", "gone")
        return settle(schedule, how)

    monkeypatch.setattr(materializer, "settle", fail)
    stage.tick(20 * SECOND)
    assert len(stage.runs(good)) == 1
    assert stage.runs(bad) == []


def test_a_row_that_can_not_be_written_does_not_keep_the_ticker_busy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materializer, "_RUNS", 10)
    bad = stage.add(trigger=Every(SECOND), start_at=at("12:00:30"))
    good = stage.add(trigger=Every(HOUR), start_at=at("12:00:31"))
    write = stage.store.schedules.materialise

    def fail(batch, *, now):  # type: ignore[no-untyped-def]
        if bad.id in {item.schedule for item in batch}:
            raise OverflowError("no column is that wide")
        return write(batch, now=now)

    monkeypatch.setattr(stage.store.schedules, "materialise", fail)
    now = stage.advance(MINUTE)
    stage.service.ticker.tick(now)
    assert len(stage.runs(good)) == 1
    assert stage.service.ticker.tick(now) > now


def test_a_step_back_fires_nothing_twice(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE))
    stage.live(5 * MINUTE, step=30 * SECOND)
    before = stage.runs(schedule)
    stage.clock.set(at("12:00:00"))
    stage.live(5 * MINUTE, step=30 * SECOND)
    assert stage.runs(schedule) == before


def test_a_step_of_more_than_a_day_stops_ticking_until_it_is_undone(
    stage: Stage,
) -> None:
    schedule = stage.add(trigger=Every(HOUR), start_at=at("13:00:00"))
    stage.clock.hold()
    stage.tick(HOUR)
    assert stage.runs(schedule) == []
    stage.clock.release()
    stage.tick()
    assert len(stage.runs(schedule)) == 1


def test_no_lease_ends_while_the_clock_is_unsettled(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    stage.start(worker)
    stage.clock.set(at("12:05:00"))
    stage.tick()
    assert stage.run(schedule).state is RunState.RUNNING
    stage.tick(MINUTE)
    assert stage.run(schedule).state is RunState.PENDING


def test_an_offer_that_is_not_confirmed_is_pending_again(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    assert len(stage.poll(worker).offers) == 1
    stage.tick(4 * SECOND)
    assert stage.run(schedule).state is RunState.LEASED
    stage.tick(1 * SECOND)
    assert stage.run(schedule).state is RunState.PENDING


def test_jitter_moves_the_start_and_not_the_occurrence(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE), jitter=40 * SECOND)
    stage.live(10 * MINUTE, step=30 * SECOND)
    runs = stage.runs(schedule)
    delays = [run.due_at - run.scheduled_for for run in runs]
    assert {run.scheduled_for.second for run in runs} == {0}
    assert max(delays) < 40 * SECOND
    assert len(set(delays)) > 1


def test_max_runs_finishes_a_schedule(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE), max_runs=3)
    stage.live(10 * MINUTE, step=30 * SECOND)
    assert len(stage.runs(schedule)) == 3
    found = stage.found(schedule)
    assert (found.state, found.cursor) == (ScheduleState.FINISHED, None)


def test_an_hour_that_comes_twice_runs_a_fixed_time_once(stage: Stage) -> None:
    stage.clock.set(at("12:00:00").replace(month=11, day=1, hour=4))
    schedule = stage.add(trigger=Cron("30 1 * * *", "America/New_York"))
    stage.live(4 * HOUR, step=10 * MINUTE)
    assert len(stage.runs(schedule)) == 1


def test_the_next_round_is_when_something_comes_into_sight(stage: Stage) -> None:
    stage.add(trigger=Every(HOUR), start_at=at("12:00:05.400"))
    assert stage.tick() == at("12:00:00.400")


def test_a_priority_is_taken_from_the_policy(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR), policy=policy(priority=7, max_lost=2))
    run = stage.run(schedule)
    assert (run.priority, run.max_lost) == (7, 2)


def test_the_thread_ticks_at_a_wake_and_gives_the_duty_up_at_its_end(
    stage: Stage,
) -> None:
    made = threading.Event()

    def listen(wake: Wake) -> None:
        if wake.ready:
            made.set()

    stage.wakes.subscribe(listen)
    stage.service.start()
    try:
        stage.add(trigger=Every(HOUR), start_at=at("12:00:10"))
        stage.advance(6 * SECOND)
        stage.wakes.publish_tick()
        assert made.wait(timeout=10)
    finally:
        stage.service.stop()
    held, _ = stage.store.duties.hold(
        "tick", "another", now=stage.clock.now(), ttl=SECOND
    )
    assert held
