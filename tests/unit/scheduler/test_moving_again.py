"""Moving house: the last import brings what changed since the first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.policy import NONE
from crony.model.state import RunState
from crony.testing.storage import moving
from tests.unit.scheduler.moves import move
from tests.unit.scheduler.stage import HOUR, MINUTE, TENANT, Stage, policy
from tests.unit.scheduler.test_pruner import prune


class TestLastImport:
    def test_a_run_that_ended_there_since_is_over_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one")
        there.tick(MINUTE)
        worker = there.worker()
        offers = there.start(worker)
        move(there, here)
        (waiting,) = (i for i in moving.runs(here.store) if i.run.lost)
        assert waiting.run.state is RunState.PENDING
        for offer in offers:
            there.end(worker, offer)
        there.live(2 * MINUTE)
        move(there, here)
        assert {i.run.id: i.run.state for i in moving.runs(here.store)} == {
            i.run.id: i.run.state for i in moving.runs(there.store)
        }
        assert here.found(schedule) == there.found(schedule)

    def test_runs_that_were_pruned_there_since_go_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one", policy=policy(max_concurrent=9))
        there.live(5 * MINUTE)
        worker = there.worker(slots=9)
        for offer in there.start(worker, slots=9):
            there.end(worker, offer)
        move(there, here)
        before = len(moving.runs(here.store))
        now = there.clock.now()
        gone = there.store.runs.prune(
            TENANT, schedule.id, keep=1, before=now - HOUR, now=now, limit=99
        )
        assert gone > 2
        move(there, here)
        assert len(moving.runs(here.store)) == before - gone
        assert here.store.runs.pruned(TENANT, schedule.id) == there.store.runs.pruned(
            TENANT, schedule.id
        )

    def test_a_schedule_that_was_deleted_and_forgotten_there_goes_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one")
        move(there, here)
        there.delete(schedule)
        now = there.clock.now()
        there.store.runs.prune(
            TENANT, schedule.id, keep=0, before=now, now=now, limit=99
        )
        move(there, here)
        here.service.releasing.activate(TENANT)
        with pytest.raises(errors.NotFound):
            here.found(schedule)
        here.live(5 * MINUTE)
        assert not here.runs()

    def test_what_was_here_before_is_not_taken_for_gone(
        self, there: Stage, here: Stage
    ) -> None:
        mine = here.add(name="mine")
        here.tick(MINUTE)
        here.delete(mine)
        before = {run.id for run in here.runs()}
        assert before
        there.add(name="one")
        there.tick(2 * MINUTE)
        for _ in range(2):
            move(there, here)
        found = {run.id for run in here.runs()}
        assert before < found
        assert found - before == {run.id for run in there.runs()}

    def test_names_that_went_from_one_to_another_do_so_here(
        self, there: Stage, here: Stage
    ) -> None:
        first, second = there.add(name="one"), there.add(name="two")
        move(there, here)
        there.edit(second, name="three")
        there.edit(first, name="two")
        move(there, here)
        assert here.found(first).definition.name == "two"
        assert here.found(second).definition.name == "three"

    def test_nothing_is_pruned_while_the_tenant_is_held(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one", policy=policy(max_concurrent=9, misfire=NONE))
        there.live(2 * MINUTE)
        worker = there.worker(slots=9)
        offers = there.start(worker, slots=9)
        for offer in offers:
            there.end(worker, offer)
        move(there, here)
        before = moving.runs(here.store)
        here.advance(timedelta(days=1000))
        prune(here)
        assert moving.runs(here.store) == before
        here.service.releasing.activate(TENANT)
        prune(here)
        left = {item.run.id for item in moving.runs(here.store)}
        assert not left & {offer.run.id for offer in offers}
