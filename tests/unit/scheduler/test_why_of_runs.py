"""Why, of what has a run: each answer names what it waits for, or how it ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony.model.policy import RetriesSettings
from crony.model.state import AttemptState, Reason, RunState
from crony.model.trigger import At
from crony.scheduler.reasons import Code
from tests.unit.scheduler.asking import said, why
from tests.unit.scheduler.stage import MINUTE, SECOND, TENANT, Stage, at, held, policy


def test_a_skipped_overlap_names_the_run_in_the_way(stage: Stage) -> None:
    schedule = stage.add(policy=policy(on_overlap="skip"))
    worker = stage.worker()
    (offer,) = stage.start(worker)
    stage.live(MINUTE + SECOND)
    answer = why(stage, schedule, "12:01")
    assert answer.because.code is Code.OVERLAP
    assert answer.because.runs == (offer.run.id,)


def test_a_replaced_run_names_the_one_that_took_its_place(stage: Stage) -> None:
    schedule = stage.add(policy=policy(on_overlap="replace"))
    stage.live(MINUTE + SECOND)
    first, second = stage.runs(schedule)
    assert first.state is RunState.CANCELLED
    answer = why(stage, schedule, "12:00")
    assert answer.because.code is Code.OVERLAP
    assert answer.because.runs == (second.id,)


def test_a_full_schedule_names_what_is_under_way(stage: Stage) -> None:
    schedule = stage.add()
    worker = stage.worker()
    (offer,) = stage.start(worker)
    stage.live(MINUTE + SECOND)
    stage.poll(worker, holding=held([offer]))
    answer = why(stage, schedule, "12:01")
    assert answer.because.code is Code.LIMIT
    assert "max_concurrent of the schedule is 1" in answer.because.detail
    assert answer.because.runs == (offer.run.id,)


def test_a_full_group_is_named(stage: Stage) -> None:
    stage.group("reports", max_concurrent=1)
    one = stage.add(trigger=At(at("12:00")), group="reports")
    two = stage.add(trigger=At(at("12:00")), group="reports")
    worker = stage.worker()
    stage.tick()
    (offer,) = stage.start(worker)
    other = two if offer.run.schedule == one.id else one
    answer = why(stage, other, "12:00")
    assert answer.because.code is Code.LIMIT
    assert 'group "reports" is 1' in answer.because.detail
    assert answer.because.runs == (offer.run.id,)


@pytest.mark.parametrize(
    ("worker", "word"),
    [
        (None, "no worker is registered"),
        ({"queues": ["other"]}, "--queue default"),
        ({"labels": {"os": "mac"}}, "os=linux"),
        ({"labels": {"os": "linux"}, "sandbox_level": "none"}, "sandbox level"),
    ],
)
def test_where_no_worker_may_run_it_the_lack_is_named(
    stage: Stage, worker: dict[str, object] | None, word: str
) -> None:
    schedule = stage.add(requires={"os": "linux"})
    if worker is not None:
        stage.worker(**worker)
    stage.tick()
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.NO_WORKER
    assert word in detail


def test_workers_that_are_gone_or_drain_are_named(stage: Stage) -> None:
    schedule = stage.add()
    worker = stage.worker(name="host-b")
    stage.tick()
    stage.service.workers.drain(TENANT, worker.id)
    detail = why(stage, schedule, "12:00").because.detail
    assert "host-b" in detail
    assert "drain" in detail
    stage.advance(MINUTE * 2)
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.NO_WORKER
    assert "host-b" in detail
    assert "heard of" in detail


def test_busy_workers_are_told_from_missing_ones(stage: Stage) -> None:
    other = stage.add(trigger=At(at("12:00")))
    worker = stage.worker(slots=1)
    stage.tick()
    (offer,) = stage.start(worker, slots=1)
    schedule = stage.add(trigger=At(at("12:00")))
    stage.tick()
    assert offer.run.schedule == other.id
    answer = why(stage, schedule, "12:00")
    assert answer.because.code is Code.NO_SLOT
    assert answer.because.runs == (offer.run.id,)


def test_what_a_worker_may_take_waits_for_its_next_question(stage: Stage) -> None:
    schedule = stage.add()
    stage.worker(name="host-b")
    stage.tick()
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.WAITING
    assert "host-b" in detail


def test_an_offer_and_a_running_attempt_name_the_worker(stage: Stage) -> None:
    schedule = stage.add()
    worker = stage.worker(name="host-b")
    stage.tick()
    offers = stage.poll(worker).offers
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.LEASED
    assert "host-b" in detail
    stage.service.leasing.confirm(worker.tenant, worker.id, held(offers))
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.RUNNING
    assert "host-b" in detail
    stage.service.runs.cancel(TENANT, offers[0].run.id)
    assert why(stage, schedule, "12:00").because.code is Code.STOPPING


def test_a_retry_that_waits_says_until_when_and_why(stage: Stage) -> None:
    schedule = stage.add(
        trigger=At(at("12:00")),
        policy=policy(retries=RetriesSettings(max=2, backoff=MINUTE)),
    )
    worker = stage.worker()
    stage.tick()
    (offer,) = stage.start(worker)
    stage.end(worker, offer, state=AttemptState.FAILED)
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.WAITING_RETRY
    assert "exit code 1" in detail
    assert "1m" in detail


def test_a_lost_attempt_names_its_worker(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00")), policy=policy(max_lost=2))
    worker = stage.worker(name="host-b")
    stage.tick()
    stage.start(worker)
    stage.live(MINUTE * 2, step=SECOND * 10)
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.LOST
    assert 'worker "host-b"' in detail
    stage.start(worker)
    stage.live(MINUTE * 2, step=SECOND * 10)
    assert stage.run(schedule).state is RunState.FAILED
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.LOST
    assert "host-b" in detail


def test_a_preempted_run_names_the_one_that_took_its_place(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00")), policy=policy(preemptible=True))
    worker = stage.worker(slots=1)
    stage.tick()
    (victim,) = stage.start(worker, slots=1)
    stage.advance(SECOND)
    urgent = stage.add(trigger=At(at("12:00:01")), policy=policy(priority=50))
    stage.live(SECOND * 3)
    stage.poll(worker, slots=0, holding=held([victim]))
    stage.end(worker, victim, state=AttemptState.PREEMPTED, reason=Reason.PREEMPTED)
    (offer,) = stage.start(worker, slots=1)
    assert offer.run.schedule == urgent.id
    stage.advance(SECOND)
    answer = why(stage, schedule, "12:00")
    assert answer.because.code is Code.PREEMPTED
    assert answer.because.runs == (offer.run.id,)


@pytest.mark.parametrize(
    ("facts", "code", "word"),
    [
        ({}, Code.SUCCEEDED, "after 2s"),
        ({"state": AttemptState.FAILED}, Code.FAILED, "exit code 1"),
        (
            {"state": AttemptState.TIMED_OUT, "reason": Reason.MAX_RUNTIME},
            Code.TIMED_OUT,
            "max_runtime, 1h",
        ),
        (
            {"state": AttemptState.TIMED_OUT, "reason": Reason.DEADLINE},
            Code.DEADLINE,
            "2026-11-20T12:30:00",
        ),
    ],
)
def test_an_end_is_told_in_words(
    stage: Stage, facts: dict[str, object], code: Code, word: str
) -> None:
    schedule = stage.add(
        trigger=At(at("12:00")), policy=policy(deadline=timedelta(minutes=30))
    )
    worker = stage.worker()
    stage.tick()
    (offer,) = stage.start(worker)
    stage.end(worker, offer, **facts)
    answer = why(stage, schedule)
    assert said(answer)[0] is code
    assert word in said(answer)[1]
    assert answer.run == offer.run.id


def test_what_had_not_started_by_its_deadline_says_so(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00")), policy=policy(deadline=MINUTE))
    stage.live(MINUTE * 2, step=SECOND * 10)
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.DEADLINE
    assert "2026-11-20T12:01:00" in detail


def test_what_a_person_cancelled_says_how_to_run_it_again(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00")))
    stage.tick()
    run = stage.run(schedule)
    stage.service.runs.cancel(TENANT, run.id)
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.CANCELLED
    assert f"/runs/{run.id}/retry" in detail
