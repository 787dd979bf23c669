"""Calls that come while another is under way share the next step."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from crony.storage.sql.gathering import Gathering


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
        return [item.upper() for item in items]


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
        waiting = len(gathering._waiting[among])
        calls.append(pool.submit(gathering, item, among=among))
        while len(gathering._waiting[among]) == waiting:
            pass
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


def test_a_step_that_fails_fails_for_all_of_it_and_for_no_other() -> None:
    steps = Steps()
    gathering = Gathering(steps.do, most=2)
    with ThreadPoolExecutor(8) as pool:
        calls = _queued(gathering, pool, steps, ["a", "broken", "b"])
        for failed in calls[1:3]:
            with pytest.raises(OSError, match="broken"):
                failed.result(30)
        assert [calls[0].result(30), calls[3].result(30)] == ["HELD", "B"]


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
