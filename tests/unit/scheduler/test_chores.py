"""Chores are done again and again, and none of them stops the others."""

from __future__ import annotations

import threading
from datetime import datetime

from crony import errors
from crony.scheduler.chores import Chores
from crony.testing.clock import ManualClock
from tests.unit.scheduler.stage import MINUTE, SECOND, TENANT, Stage


def _broken(_: datetime) -> bool:
    raise OverflowError("no column is that wide")


def _away(_: datetime) -> bool:
    raise errors.StoreUnavailable("the disk is full", retry_after=SECOND)


def test_a_broken_chore_does_not_stop_the_others() -> None:
    done: list[datetime] = []
    clock = ManualClock()
    chores = Chores(clock)
    for chore in (_broken, _away, lambda now: done.append(now) is not None):
        chores.add(chore)
    assert not chores.step(clock.now())
    assert done == [clock.now()]


def test_more_to_do_is_told() -> None:
    chores = Chores(ManualClock())
    chores.add(lambda _: True)
    chores.add(lambda _: False)
    assert chores.step(ManualClock().now())


def test_chores_are_done_by_a_thread_until_it_is_stopped() -> None:
    rounds, enough = iter(range(100)), threading.Event()
    chores = Chores(ManualClock())

    def chore(_: datetime) -> bool:
        if next(rounds) == 2:
            enough.set()
        return True

    chores.add(chore)
    chores.start()
    assert enough.wait(10)
    chores.stop()
    assert "crony-chores" not in [thread.name for thread in threading.enumerate()]


def test_nothing_is_done_by_a_time_that_nobody_accepted() -> None:
    clock = ManualClock()
    done: list[datetime] = []
    chores = Chores(clock)
    chores.add(lambda now: done.append(now) is not None)
    clock.hold()
    chores.step(clock.now())
    assert done == []
    clock.release()
    chores.step(clock.now())
    assert done == [clock.now()]


def _of_workers(stage: Stage) -> list[str]:
    events = stage.store.events.page(TENANT, after=0, limit=9)
    return [event.type for event in events]


def test_a_worker_that_is_not_heard_of_is_noted_as_lost_once(stage: Stage) -> None:
    stage.worker()
    chores = stage.service.chores
    chores.step(stage.advance(MINUTE))
    assert _of_workers(stage) == ["worker.registered"]
    chores.step(stage.advance(SECOND))
    chores.step(stage.advance(SECOND))
    assert _of_workers(stage) == ["worker.registered", "worker.lost"]


def test_no_worker_is_lost_while_the_clock_is_not_settled(stage: Stage) -> None:
    stage.worker()
    now = stage.advance(2 * MINUTE)
    stage.clock.settled = 59 * SECOND
    stage.service.chores.step(now)
    assert _of_workers(stage) == ["worker.registered"]
    stage.service.chores.step(stage.advance(SECOND))
    assert _of_workers(stage) == ["worker.registered", "worker.lost"]
