"""What a wake says, in as many parts as it takes."""

from __future__ import annotations

import json

from crony.scheduler.wake import Wake, packed, spoken, understood

FULL = Wake(
    ready=frozenset({("default", "gpu"), ("acme", "ü")}),
    workers=frozenset({"wrk_1"}),
    runs=frozenset({f"run_{number:026}" for number in range(300)}),
    duties=frozenset({"tick"}),
    tick=True,
    events=True,
    missed=True,
)


def test_a_wake_in_parts_is_the_same_wake() -> None:
    parts = list(packed(spoken(FULL), head={"from": "me"}, most=500))
    assert all(len(part) <= 500 for part in parts)
    assert len(parts) < 30
    messages = [json.loads(part) for part in parts]
    assert {message["from"] for message in messages} == {"me"}
    whole = Wake()
    for message in messages:
        wake = understood(message)
        assert wake is not None
        whole = whole | wake
    assert whole == FULL


def test_a_part_is_as_full_as_it_may_be() -> None:
    for most in range(120, 200):
        parts = list(packed({"runs": ["r" * 20] * 9}, head={}, most=most))
        assert max(map(len, parts)) <= most
        assert sum(len(json.loads(part)["runs"]) for part in parts) == 9


def test_nothing_takes_no_part_and_is_false() -> None:
    assert list(packed(spoken(Wake()), head={"from": "me"}, most=500)) == []
    assert not Wake()
    assert FULL
    assert all((Wake(tick=True), Wake(missed=True), Wake(duties=frozenset({"a"}))))
