"""Calls that come while another is under way share the next step."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from crony import errors
from crony.storage.sql.gathering import Gathering, _Call


class Steps:
    """What is done step by step; a step of a single ``held`` waits to be let go."""

    def __init__(self) -> None:
        self.done: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def do(self, items: Sequence[str]) -> list[str]:
        self.done.append(list(items))
        if list(items) == ["held"]:
            self.begun.set()
            assert self.go.wait(30)
        if "broken" in items:
            raise OSError("broken")
        if "unavailable" in items:
            raise errors.Overloaded("too much", retry_after=timedelta(seconds=7))
        if "interrupted" in items:
            raise KeyboardInterrupt
        return [item.upper() for item in items]


def _seen(condition: Callable[[], bool]) -> None:
    """Look until it is so, which takes moments."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def _queued(
    gathering: Gathering[str, str],
    pool: ThreadPoolExecutor,
    steps: Steps,
    items: Sequence[str],
    *,
    among: str = "",
) -> list[Future[str]]:
    """Call for ``held``, and for others that come while that is done, in order."""
    calls = [pool.submit(gathering, "held", among=among)]
    assert steps.begun.wait(30)
    for item in items:
        calls.append(pool.submit(gathering, item, among=among))
        count = len(calls) - 1
        _seen(lambda count=count: len(gathering._waiting[among]) == count)
    steps.go.set()
    return calls


def test_one_alone_is_done_at_once() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=10)
    assert gathering("a", among="") == "A"
    assert gathering("b", among="") == "B"
    assert steps.done == [["a"], ["b"]]


def test_those_that_wait_are_done_together_each_with_its_own_result() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=10)
    with ThreadPoolExecutor(8) as pool:
        calls = _queued(gathering, pool, steps, "abc")
        assert [call.result(30) for call in calls] == ["HELD", "A", "B", "C"]
    assert steps.done == [["held"], ["a", "b", "c"]]
    assert gathering("d", among="") == "D"


def test_no_step_has_more_than_it_may() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=2)
    with ThreadPoolExecutor(8) as pool:
        calls = _queued(gathering, pool, steps, "abcde")
        assert [call.result(30) for call in calls] == ["HELD", *"ABCDE"]
    assert steps.done == [["held"], ["a", "b"], ["c", "d"], ["e"]]


def test_one_that_fails_fails_for_no_other_of_its_step() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=3)
    with ThreadPoolExecutor(8) as pool:
        calls = _queued(gathering, pool, steps, ["a", "broken", "b", "c"])
        with pytest.raises(OSError, match="broken"):
            calls[2].result(30)
        others = [calls[number].result(30) for number in (0, 1, 3, 4)]
        assert others == ["HELD", "A", "B", "C"]
    assert steps.done[1:] == [["a", "broken", "b"], ["a"], ["broken"], ["b"], ["c"]]


def test_that_the_store_is_away_is_said_to_each_by_an_error_of_its_own() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=2)
    with ThreadPoolExecutor(8) as pool:
        calls = _queued(gathering, pool, steps, ["a", "unavailable", "b"])
        told = [call.exception(30) for call in calls[1:3]]
        assert [calls[0].result(30), calls[3].result(30)] == ["HELD", "B"]
    assert steps.done == [["held"], ["a", "unavailable"], ["b"]]
    assert told[0] is not told[1]
    for failure in told:
        assert isinstance(failure, errors.Overloaded)
        assert str(failure) == "too much"
        assert failure.retry_after == timedelta(seconds=7)


def test_an_interrupt_is_for_who_does_the_step_and_the_others_may_repeat() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=2)
    with ThreadPoolExecutor(8) as pool:
        calls = _queued(gathering, pool, steps, ["interrupted", "a", "b"])
        assert isinstance(calls[1].exception(30), KeyboardInterrupt)
        assert isinstance(calls[2].exception(30), errors.StoreUnavailable)
        assert calls[3].result(30) == "B"
    assert gathering._waiting == {}


class Interrupted(BaseException):
    """What a thread meets while it waits."""


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """Return what breaks off whatever the main thread waits for."""

    def broken_off(*_: object) -> None:
        raise Interrupted

    usual = signal.signal(signal.SIGUSR1, broken_off)
    main = threading.main_thread().ident
    assert main is not None
    yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, usual)


def test_who_is_interrupted_while_it_waits_is_not_done_and_keeps_nobody_waiting(
    interrupt: Callable[[], None],
) -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=10)
    with ThreadPoolExecutor(8) as pool:
        held = pool.submit(gathering, "held", among="")
        assert steps.begun.wait(30)

        def join_and_interrupt() -> Future[str]:
            _seen(lambda: len(gathering._waiting[""]) == 1)
            after = pool.submit(gathering, "after", among="")
            _seen(lambda: len(gathering._waiting[""]) == 2)
            interrupt()
            return after

        joined = pool.submit(join_and_interrupt)
        with pytest.raises(Interrupted):
            gathering("interrupted", among="")
        steps.go.set()
        assert [held.result(30), joined.result(30).result(30)] == ["HELD", "AFTER"]
    assert steps.done == [["held"], ["after"]]
    assert gathering._waiting == {}


class Interruptible(Gathering[str, str]):
    """Some are interrupted as soon as they are woken."""

    def _wait(self, call: _Call[str, str], among: str) -> None:
        super()._wait(call, among)
        if call.item == "interrupted":
            raise Interrupted


def test_who_is_interrupted_at_its_turn_gives_it_to_the_next() -> None:
    steps = Steps()
    gathering = Interruptible(steps.do, most=1)
    with ThreadPoolExecutor(8) as pool:
        calls = _queued(gathering, pool, steps, ["interrupted", "a", "b"])
        assert isinstance(calls[1].exception(30), Interrupted)
        others = [calls[number].result(30) for number in (0, 2, 3)]
        assert others == ["HELD", "A", "B"]
    assert steps.done == [["held"], ["a"], ["b"]]
    assert gathering._waiting == {}


def test_one_for_whom_there_is_no_memory_leaves_no_turn_behind() -> None:
    class Full(Gathering[str, str]):
        def _take(self, step: list[_Call[str, str]], among: str) -> None:
            if steps.done:
                raise MemoryError
            super()._take(step, among)

    steps = Steps()
    gathering = Full(steps.do, most=10)
    assert gathering("a", among="") == "A"
    with pytest.raises(MemoryError):
        gathering("b", among="")
    assert gathering._waiting == {}


def test_those_who_do_not_wait_for_each_other_are_not_kept_waiting() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=10)
    with ThreadPoolExecutor(8) as pool:
        held = pool.submit(gathering, "held", among="one")
        assert steps.begun.wait(30)
        assert gathering("a", among="other") == "A"
        steps.go.set()
        assert held.result(30) == "HELD"


def test_nothing_is_lost_or_done_twice_in_a_crowd() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=3)
    names = [f"item-{number}" for number in range(400)]
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda name: gathering(name, among=""), names))
    assert made == [name.upper() for name in names]
    assert sorted(name for step in steps.done for name in step) == sorted(names)
    assert gathering._waiting == {}
