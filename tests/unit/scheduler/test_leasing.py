"""Workers get, hold and give back runs as promised."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.lease import Holding, Standing
from crony.model.policy import RetriesSettings
from crony.model.state import AttemptState, RunState
from crony.model.trigger import At, Every
from crony.model.worker import Quotas
from crony.scheduler import reaper
from crony.testing.factories import make_chunk, make_closing
from tests.unit.scheduler.stage import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    at,
    held,
    policy,
)


def test_a_run_is_offered_ahead_of_its_instant(stage: Stage) -> None:
    worker = stage.worker()
    stage.add(trigger=At(at("12:00:04")))
    (offer,) = stage.poll(worker).offers
    assert offer.start_at == at("12:00:04")
    assert offer.expires_at == at("12:01:04")


def test_a_lost_answer_is_offered_again_under_a_new_token(stage: Stage) -> None:
    worker = stage.worker()
    stage.add(trigger=Every(DAY))
    (first,) = stage.poll(worker).offers
    (second,) = stage.poll(worker).offers
    assert second.run.id == first.run.id
    assert (first.token, second.token) == (1, 2)
    (answer,) = stage.service.leasing.confirm(worker.tenant, worker.id, held([first]))
    assert answer.standing is Standing.STALE


def test_a_poll_renews_what_is_held(stage: Stage) -> None:
    worker = stage.worker()
    stage.add(trigger=Every(DAY))
    offers = stage.start(worker)
    now = stage.advance(30 * SECOND)
    (renewed,) = stage.poll(worker, holding=held(offers)).renewed
    assert renewed.expires_at == now + MINUTE


def test_looking_again_finds_new_runs_and_renews_nothing(stage: Stage) -> None:
    worker = stage.worker()
    stage.add(trigger=Every(DAY))
    offers = stage.start(worker)
    stage.add(trigger=Every(DAY))
    stage.advance(SECOND)
    polled = stage.again(worker, holding=held(offers))
    assert len(polled.offers) == 1
    assert polled.renewed == ()
    assert polled.revoked == []


def test_looking_again_after_a_newer_poll_is_stale(stage: Stage) -> None:
    worker = stage.worker()
    stage.poll(worker)
    with pytest.raises(errors.StaleToken):
        stage.service.leasing.again(
            worker.tenant, worker.id, session="session", sequence=0, slots=1, holding=[]
        )


@pytest.mark.parametrize("way", ["poll", "again"])
def test_a_cancelled_run_is_revoked(stage: Stage, way: str) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    offers = stage.start(worker)
    stage.poll(worker, holding=held(offers))
    stage.service.runs.cancel(TENANT, stage.run(schedule).id)
    polled = getattr(stage, way)(worker, holding=held(offers))
    assert [item.reason for item in polled.revoked] == ["cancelled"]


@pytest.mark.parametrize("way", ["poll", "again"])
def test_a_run_of_a_deleted_schedule_is_revoked(stage: Stage, way: str) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    offers = stage.start(worker)
    stage.poll(worker, holding=held(offers))
    stage.delete(schedule, cancel_running=True)
    polled = getattr(stage, way)(worker, holding=held(offers))
    assert [item.reason for item in polled.revoked] == ["deleted"]


def test_what_was_never_held_is_revoked_as_lost(stage: Stage) -> None:
    worker = stage.worker()
    stage.poll(worker)
    polled = stage.again(worker, holding=[Holding("run_x", 1)])
    assert [item.reason for item in polled.revoked] == ["lost"]


def test_looking_again_tells_nothing_of_what_others_hold(stage: Stage) -> None:
    holder, other = stage.worker(), stage.worker(name="b", machine="cd" * 32)
    schedule = stage.add(trigger=Every(DAY))
    offers = stage.start(holder)
    assert stage.again(holder, holding=held(offers)).revoked == []
    stage.poll(other)
    polled = stage.again(other, holding=held(offers))
    assert [item.reason for item in polled.revoked] == ["lost"]
    stage.service.runs.cancel(TENANT, stage.run(schedule).id)
    polled = stage.again(other, holding=held(offers))
    assert [item.reason for item in polled.revoked] == ["lost"]


def test_looking_again_tells_nothing_of_another_tenants_runs(stage: Stage) -> None:
    stage.service.tenants.put("b", quotas=Quotas())
    holder = stage.worker()
    stage.add(trigger=Every(DAY))
    offers = stage.start(holder)
    schedule = stage.service.schedules.find(TENANT, offers[0].run.schedule)
    stage.delete(schedule, cancel_running=True)
    closed = stage.end(holder, offers[0], state=AttemptState.CANCELLED)
    assert closed.state is RunState.CANCELLED
    stranger = stage.worker(tenant="b")
    for worker, reason in ((holder, "deleted"), (stranger, "lost")):
        stage.poll(worker)
        polled = stage.again(worker, holding=held(offers))
        assert [item.reason for item in polled.revoked] == [reason]


def test_a_renewal_counts_also_when_a_newer_poll_came_before_it(stage: Stage) -> None:
    worker = stage.worker()
    stage.add(trigger=Every(DAY))
    offers = stage.start(worker)
    now = stage.advance(30 * SECOND)
    stage.poll(worker, holding=held(offers))
    (renewed,) = stage.service.leasing.renew(
        worker.tenant, worker.id, session="session", holding=held(offers)
    ).renewed
    assert renewed.expires_at == now + MINUTE
    with pytest.raises(errors.StaleToken):
        stage.service.leasing.renew(
            worker.tenant, worker.id, session="before", holding=[]
        )


@pytest.mark.parametrize("is_settled", [True, False])
def test_a_backlog_of_offers_is_taken_back_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, is_settled: bool
) -> None:
    monkeypatch.setattr(reaper, "_LIMIT", 2)
    worker = stage.worker(slots=8)
    for _ in range(5):
        stage.add(trigger=Every(DAY))
    assert len(stage.poll(worker, slots=8).offers) == 5
    stage.advance(HOUR)
    stage.clock.settled = HOUR if is_settled else timedelta()
    stage.tick()
    assert len(stage.runs(None, RunState.PENDING)) == 5


def test_a_backlog_of_retries_is_let_go_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "_LIMIT", 2)
    worker = stage.worker(slots=8)
    retries = RetriesSettings(max=1, backoff=MINUTE)
    for _ in range(5):
        stage.add(trigger=Every(DAY), policy=policy(retries=retries))
    for offer in stage.start(worker, slots=8):
        stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick(2 * MINUTE)
    assert len(stage.poll(worker, slots=8).offers) == 5


def test_a_lease_that_must_not_end_yet_keeps_nothing_busy(stage: Stage) -> None:
    stage.add(trigger=Every(DAY))
    stage.start(stage.worker())
    now = stage.advance(HOUR)
    stage.clock.settled = timedelta()
    assert stage.tick() > now


def test_a_drained_worker_gets_nothing_and_is_told(stage: Stage) -> None:
    worker = stage.worker()
    stage.poll(worker)
    stage.service.workers.drain(TENANT, worker.name)
    stage.add(trigger=Every(DAY))
    polled = stage.again(worker)
    assert (polled.offers, polled.draining) == ((), True)
    assert any(worker.id in wake.workers for wake in stage.news)


def test_a_failed_attempt_is_retried_after_the_backoff(stage: Stage) -> None:
    worker = stage.worker()
    retries = RetriesSettings(max=2, backoff=10 * SECOND, factor=3.0)
    schedule = stage.add(trigger=Every(DAY), policy=policy(retries=retries))
    waits = []
    for _ in range(3):
        (offer,) = stage.start(worker)
        closed = stage.end(worker, offer, state=AttemptState.FAILED)
        waits.append(stage.run(schedule).available_at - stage.clock.now())
        stage.tick(waits[-1])
    assert waits[:2] == [10 * SECOND, 30 * SECOND]
    assert closed.state is RunState.FAILED
    assert stage.run(schedule).failures == 3


def test_backoff_is_spread_when_asked(stage: Stage) -> None:
    worker = stage.worker()
    retries = RetriesSettings(max=1, backoff=10 * SECOND)
    schedule = stage.add(trigger=Every(DAY), policy=policy(retries=retries))
    stage.fraction = 0.0
    (offer,) = stage.start(worker)
    stage.end(worker, offer, state=AttemptState.TIMED_OUT)
    assert stage.run(schedule).available_at == stage.clock.now() + 5 * SECOND


def test_a_lost_attempt_does_not_count_against_retries(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    stage.start(worker)
    stage.tick(2 * MINUTE)
    run = stage.run(schedule)
    assert (run.state, run.lost, run.failures) == (RunState.PENDING, 1, 0)


def test_too_many_lost_attempts_fail_a_run(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY), policy=policy(max_lost=2))
    for _ in range(2):
        stage.start(worker)
        stage.tick(2 * MINUTE)
    assert stage.run(schedule).state is RunState.FAILED


def test_late_report_of_an_old_attempt_is_refused(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    (old,) = stage.start(worker)
    stage.tick(2 * MINUTE)
    (new,) = stage.start(worker)
    assert stage.end(worker, old).standing is Standing.STALE
    assert stage.run(schedule).state is RunState.RUNNING
    assert stage.end(worker, new).standing is Standing.ACCEPTED
    assert stage.end(worker, new).standing is Standing.REPEATED


def test_the_end_of_one_run_lets_the_next_start(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(SECOND))
    (first,) = stage.start(worker)
    assert stage.again(worker, holding=held([first])).offers == ()
    stage.news.clear()
    stage.end(worker, first)
    assert any((TENANT, "default") in wake.ready for wake in stage.news)
    assert len(stage.start(worker)) == 1
    assert len(stage.runs(schedule, RunState.RUNNING)) == 1


def test_a_finish_in_the_future_is_taken_for_now(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    (offer,) = stage.start(worker)
    now = stage.clock.advance(timedelta(seconds=10))
    stage.clock.advance(-timedelta(seconds=5))
    stage.service.leasing.report(
        worker.tenant,
        worker.id,
        [make_closing(offer.run.id, offer.token, finished_at=now)],
    )
    assert stage.run(schedule).finished_at == stage.clock.now()


def test_an_attempt_never_ends_before_it_began(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    (offer,) = stage.start(worker)
    began = stage.clock.now()
    stage.clock.advance(-timedelta(seconds=5))
    stage.end(worker, offer)
    assert stage.run(schedule).finished_at == began


def test_progress_and_output_are_kept_and_told(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    (offer,) = stage.start(worker)
    leasing = stage.service.leasing
    stage.news.clear()
    assert (
        leasing.progress(
            worker.tenant,
            worker.id,
            offer.run.id,
            offer.token,
            percent=40,
            message="half",
        )
        is Standing.ACCEPTED
    )
    leasing.log(
        worker.tenant, worker.id, offer.run.id, offer.token, [make_chunk(b"hello")]
    )
    run = stage.run(schedule)
    assert run.progress is not None
    assert (run.progress.attempt, run.progress.message) == (1, "half")
    chunks, whole = stage.service.runs.log(TENANT, run.id)
    assert ([chunk.data for chunk in chunks], whole) == ([b"hello"], False)
    assert [wake.runs for wake in stage.news] == [frozenset({run.id})] * 2


def test_progress_under_an_old_token_is_refused(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    (old,) = stage.start(worker)
    stage.tick(2 * MINUTE)
    stage.start(worker)
    standing = stage.service.leasing.progress(
        worker.tenant, worker.id, old.run.id, old.token, percent=1, message=""
    )
    assert standing is Standing.STALE
    assert stage.run(schedule).progress is None
