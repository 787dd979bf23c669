"""Slots of a worker, each for one run at a time."""

from __future__ import annotations

from typing import cast

import pytest

from crony import clock
from crony.worker.lease import Exchange, Lease
from crony.worker.roster import Roster
from crony.worker.runner import Crew, Runner
from crony.worker.tasks.workshop import Workshop
from tests.unit.worker.factories import ZERO, lease


def offer(run: str, token: int = 1) -> Lease:
    now = clock.boottime()
    return lease(exchange=Exchange(now, ZERO, now), run=run, token=token)


def added(roster: Roster, offered: Lease) -> Runner | None:
    return roster.add(
        offered,
        lambda slot: Runner(
            offered, slot=slot, workshop=cast(Workshop, None), crew=cast(Crew, None)
        ),
    )


def slot_of(roster: Roster, offered: Lease) -> int | None:
    runner = added(roster, offered)
    return None if runner is None else runner.slot


@pytest.fixture
def roster() -> Roster:
    return Roster(slots=3, freed=lambda: None)


def test_the_first_free_slot_is_given_first(roster: Roster) -> None:
    runners = [added(roster, offer(run)) for run in ("run_1", "run_2", "run_3")]
    assert [runner and runner.slot for runner in runners] == [0, 1, 2]
    assert slot_of(roster, offer("run_4")) is None
    for runner in (runners[2], runners[0]):
        assert runner is not None
        roster.remove(runner)
    assert slot_of(roster, offer("run_5")) == 0
    assert slot_of(roster, offer("run_6")) == 2


def test_a_lease_that_is_known_gets_no_second_slot(roster: Roster) -> None:
    assert slot_of(roster, offer("run_1")) == 0
    assert slot_of(roster, offer("run_1")) is None
    assert roster.free() == 2


def test_a_newer_attempt_waits_until_the_older_is_gone(roster: Roster) -> None:
    old = added(roster, offer("run_1", token=1))
    assert old is not None
    assert slot_of(roster, offer("run_1", token=2)) is None
    assert not old.waiting  # it was told to stop
    roster.remove(old)
    assert slot_of(roster, offer("run_1", token=2)) == 0


def test_what_is_removed_twice_frees_one_slot(roster: Roster) -> None:
    runner = added(roster, offer("run_1"))
    assert runner is not None
    roster.remove(runner)
    roster.remove(runner)
    assert roster.free() == 3
    assert {slot_of(roster, offer(f"run_{n}")) for n in range(3)} == {0, 1, 2}


def test_a_slot_for_which_no_runner_can_be_made_stays_free(roster: Roster) -> None:
    def fail(slot: int) -> Runner:
        raise OSError(slot)

    with pytest.raises(OSError, match="0"):
        roster.add(offer("run_1"), fail)
    assert slot_of(roster, offer("run_1")) == 0
