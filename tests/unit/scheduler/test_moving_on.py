"""Moving house: it goes on here where it was left there, and nothing runs twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crony import errors
from crony.model.policy import AT_MOST_ONCE, LATEST, NONE
from crony.model.state import AttemptState, Reason, RunState
from crony.model.trigger import Cron
from crony.scheduler.moving.arrival import STEP
from crony.scheduler.reasons import Code
from crony.testing.storage import moving
from tests.unit.scheduler.moves import move
from tests.unit.scheduler.stage import MINUTE, SECOND, TENANT, Stage, at, held, policy


class TestInHands:
    def test_what_was_offered_is_pending_and_was_never_tried(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one")
        there.tick(MINUTE)
        assert there.poll(there.worker()).offers
        move(there, here)
        run = here.runs(schedule)[0]
        assert (run.state, run.attempt, run.lost) == (RunState.PENDING, 0, 0)
        assert run.token == STEP + 1

    def test_what_ran_is_pending_and_its_attempt_lost(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        worker = there.worker()
        (offer,) = there.start(worker)
        move(there, here)
        run = here.service.runs.find(TENANT, offer.run.id)
        assert (run.state, run.reason) == (RunState.PENDING, Reason.LOST)
        assert (run.lost, run.token) == (1, offer.token + STEP)
        (attempt,) = run.attempts
        assert (attempt.state, attempt.reason) == (AttemptState.LOST, Reason.LOST)
        assert attempt.finished_at == there.clock.now()

    def test_what_must_not_start_twice_has_failed(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one", policy=policy(delivery=AT_MOST_ONCE))
        there.tick(MINUTE)
        (offer,) = there.start(there.worker())
        move(there, here)
        run = here.service.runs.find(TENANT, offer.run.id)
        assert (run.state, run.reason) == (RunState.FAILED, Reason.LOST)
        assert run.finished_at == there.clock.now()

    def test_what_was_being_stopped_has_stopped(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        (offer,) = there.start(there.worker())
        there.service.runs.cancel(TENANT, offer.run.id)
        move(there, here)
        run = here.service.runs.find(TENANT, offer.run.id)
        assert (run.state, run.reason) == (RunState.CANCELLED, Reason.USER)

    def test_a_report_of_a_worker_of_there_counts_for_nothing_here(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        worker = there.worker()
        (offer,) = there.start(worker)
        move(there, here)
        here.service.releasing.activate(TENANT)
        here.tick()
        again = here.worker()
        (given,) = here.poll(again, holding=held([offer])).offers
        assert given.run.id == offer.run.id
        assert given.token == offer.token + STEP + 1
        closed = here.end(again, offer)
        assert closed.standing in ("unknown", "stale")
        assert here.service.runs.find(TENANT, offer.run.id).state is RunState.LEASED


class TestActivation:
    def test_until_then_nothing_happens(self, there: Stage, here: Stage) -> None:
        schedule = there.add(name="one")
        there.tick(MINUTE)
        move(there, here)
        worker = here.worker()
        before = len(here.runs())
        here.live(3 * MINUTE)
        assert len(here.runs()) == before
        assert not here.poll(worker).offers
        because = here.service.why.of(TENANT, "one").because
        assert because.code is Code.HELD
        assert "crony import --activate" in because.detail
        (view,) = here.service.schedules.views([here.found(schedule)])
        assert "held" in [warning.code for warning in view.warnings]
        assert here.service.releasing.held_tenants() == 1

    def test_from_then_on_it_goes_on(self, there: Stage, here: Stage) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        move(there, here)
        here.live(3 * MINUTE)
        here.service.releasing.activate(TENANT)
        here.live(2 * MINUTE)
        worker = here.worker()
        assert here.poll(worker).offers
        assert here.service.why.of(TENANT, "one").because.code is not Code.HELD
        found = here.service.audit.span(
            TENANT, since=at("12:00:00"), until=here.clock.now(), limit=9
        )
        assert not found.gaps

    @pytest.mark.parametrize(
        ("mode", "late"), [(NONE, 0), (LATEST, 1)], ids=["none", "latest"]
    )
    def test_what_came_due_meanwhile_is_a_misfire(
        self, there: Stage, here: Stage, mode: str, late: int
    ) -> None:
        schedule = there.add(name="one", policy=policy(misfire=mode))
        move(there, here)
        before = {run.id for run in here.runs(schedule)}
        # Also what is due less than ten seconds before.
        here.advance(10 * MINUTE + 2 * SECOND)
        here.service.releasing.activate(TENANT)
        here.tick()
        runs = [run for run in here.runs(schedule) if run.id not in before]
        caught = [run for run in runs if run.catch_up]
        missed = [run for run in runs if run.state is RunState.MISSED]
        assert len(caught) == late
        assert sum(run.range_count for run in missed) == 10 - late
        assert not [r for r in runs if r.state is RunState.PENDING and not r.catch_up]

    def test_it_may_be_done_again(self, there: Stage, here: Stage) -> None:
        there.add(name="one")
        move(there, here)
        here.advance(5 * MINUTE)
        first = here.service.releasing.activate(TENANT)
        assert here.service.releasing.activate(TENANT) == first
        with pytest.raises(errors.NotFound):
            here.service.releasing.activate("nobody")

    def test_cursors_follow_the_time_zones_of_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one", trigger=Cron("0 3 * * *", "Europe/Berlin"))
        (moved,) = moving.schedules(there.store)
        assert moved.schedule is not None
        wrong = replace(
            moved.schedule, rules="of another release", cursor=at("23:17:00")
        )
        move(there, here)
        here.store.moving.put_schedules([replace(moved, schedule=wrong)])
        here.service.releasing.activate(TENANT)
        found = here.found(schedule)
        assert (found.cursor, found.rules) == (
            moved.schedule.cursor,
            moved.schedule.rules,
        )
