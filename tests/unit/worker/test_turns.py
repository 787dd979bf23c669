"""Runs that end at once are concluded by a few at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from crony import clock
from crony.worker import runner as module
from crony.worker.lease import Exchange, Lease
from crony.worker.outcome import Ending
from crony.worker.runner import Runner
from crony.worker.tasks.workshop import Workshop
from crony.worker.work import Work
from tests.unit.worker.factories import ZERO, lease
from tests.unit.worker.test_runner import Listener

_RUNS, _TURNS = 6, 2


class Counted(Work):
    """A task that has ended by the time it is let go; counts who is concluded."""

    inside = 0
    lock = threading.Condition()
    go_on = threading.Event()

    def __init__(self) -> None:
        self.ended = os.eventfd(1, os.EFD_CLOEXEC)
        self.streams = {}
        self.progress = None

    def watch(self, *, kill_at: timedelta) -> None:
        pass

    def extend(self, *, kill_at: timedelta) -> None:
        pass

    def release(self) -> None:
        pass

    def terminate(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def wait(self) -> Ending:
        with self.lock:
            Counted.inside += 1
            self.lock.notify_all()
        self.go_on.wait(60)
        return Ending(exit_code=0)

    def close(self) -> None:
        with self.lock:
            Counted.inside -= 1
            self.lock.notify_all()
        os.close(self.ended)


class Counting:
    """A workshop of such tasks."""

    def prepare(self, lease: Lease, *, slot: int) -> Work:
        """Return one."""
        return Counted()


def test_a_few_at_a_time_and_all_of_them_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_TURN", timedelta(seconds=60))
    Counted.go_on.clear()
    most = 0
    turns, crews = threading.Semaphore(_TURNS), [Listener() for _ in range(_RUNS)]
    now = clock.boottime()
    for slot, crew in enumerate(crews):
        made = Runner(
            lease(exchange=Exchange(now, ZERO, now), run=f"run_{slot}", start_in="0s"),
            slot=slot,
            workshop=cast(Workshop, Counting()),
            crew=crew,
            turns=turns,
        )
        made.confirm(start_at=now, expires_at=None)
        made.let_go()
        made.start()
    with Counted.lock:
        assert Counted.lock.wait_for(lambda: Counted.inside == _TURNS, 30)
        Counted.go_on.set()
        while not all(crew.done.is_set() for crew in crews):
            most = max(most, Counted.inside)
            Counted.lock.wait(0.1)
    assert most == _TURNS
    assert [len(crew.outcomes) for crew in crews] == [1] * _RUNS


def test_one_that_waits_long_for_its_turn_goes_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_TURN", timedelta(milliseconds=1))
    Counted.go_on.set()
    taken, crew = threading.Semaphore(0), Listener()
    now = clock.boottime()
    made = Runner(
        lease(exchange=Exchange(now, ZERO, now), start_in="0s"),
        slot=0,
        workshop=cast(Workshop, Counting()),
        crew=crew,
        turns=taken,
    )
    made.confirm(start_at=now, expires_at=None)
    made.let_go()
    made.start()
    assert crew.done.wait(30)
    # It gives back no turn that it has not had.
    assert not taken.acquire(blocking=False)


class Paced(threading.Semaphore):
    """Turns for which each waits ten seconds, by a clock of their own."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.now = clock.boottime()
        self._meanwhile = meanwhile

    def acquire(self, **given: Any) -> bool:
        """Wait for a turn."""
        self.now += timedelta(seconds=10)
        self._meanwhile()
        return super().acquire(**given)


def confirmed(turns: Paced, crew: Listener) -> Runner:
    """Return a confirmed run, whose task has ended, and which goes by that clock."""
    Counted.go_on.set()
    now = turns.now
    made = Runner(
        lease(exchange=Exchange(now, ZERO, now), start_in="0s"),
        slot=0,
        workshop=cast(Workshop, Counting()),
        crew=crew,
        turns=turns,
        boottime=lambda: turns.now,
    )
    made.confirm(start_at=now, expires_at=None)
    return made


def test_how_long_it_waits_for_its_turn_is_no_part_of_the_run() -> None:
    crew = Listener()
    made = confirmed(Paced(meanwhile=lambda: None), crew)
    made.let_go()
    made.start()
    assert crew.done.wait(30)
    (outcome,) = crew.outcomes
    assert outcome is not None
    assert outcome.duration == ZERO


def test_a_task_that_ends_before_its_start_is_noted_took_no_time() -> None:
    crew = Listener()
    made = confirmed(Paced(meanwhile=lambda: made.let_go()), crew)
    made.start()
    assert crew.done.wait(30)
    (outcome,) = crew.outcomes
    assert outcome is not None
    assert outcome.duration == ZERO
