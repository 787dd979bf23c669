"""What a run was made with holds for its attempts, wherever they are."""

from __future__ import annotations

from datetime import timedelta

from crony.api.render import worker as render
from crony.model.lease import Offer
from crony.model.policy import (
    RetentionSettings,
    RetriesSettings,
    SandboxSettings,
)
from crony.model.run import LogChunk
from crony.model.state import AttemptState, Reason, RunState
from crony.model.task import Json
from crony.model.trigger import Every
from tests.unit.scheduler.stage import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    held,
    policy,
)


def _rendered(stage: Stage, offer: Offer, member: str) -> dict[str, Json]:
    shown = render.offer(offer, task={}, now=stage.clock.now())[member]
    assert isinstance(shown, dict)
    return shown


def test_an_offer_carries_what_its_run_was_made_with(stage: Stage) -> None:
    stage.profile(
        "heavy",
        max_runtime=HOUR * 6,
        grace=MINUTE,
        deadline=HOUR,
        sandbox=SandboxSettings(memory=1 << 30),
        retention=RetentionSettings(log=32 << 10),
    )
    stage.add(trigger=Every(DAY), profile="heavy")
    stage.profile("heavy")
    stage.advance(10 * SECOND)
    (offer,) = stage.poll(stage.worker()).offers
    assert _rendered(stage, offer, "limits") == {
        "max_runtime": "6h",
        "grace": "1m",
        "deadline_in": "59m50s",
        "log": "32K",
        "log_part": "16K",
    }
    assert _rendered(stage, offer, "sandbox")["memory"] == "1G"


def test_an_offer_without_bounds_of_its_own_has_the_built_in_ones(
    stage: Stage,
) -> None:
    stage.add(trigger=Every(DAY))
    (offer,) = stage.poll(stage.worker()).offers
    assert _rendered(stage, offer, "limits") == {
        "max_runtime": "1h",
        "grace": "10s",
        "deadline_in": None,
        "log": "1M",
        "log_part": "64K",
    }


def test_retries_are_those_the_run_was_made_with(stage: Stage) -> None:
    worker = stage.worker()
    stage.profile("heavy", retries=RetriesSettings(max=1, backoff=MINUTE))
    schedule = stage.add(trigger=Every(DAY), profile="heavy")
    (offer,) = stage.start(worker)
    stage.profile("heavy")
    stage.end(worker, offer, state=AttemptState.FAILED)
    run = stage.run(schedule)
    assert run.state is RunState.PENDING
    assert run.available_at == stage.clock.now() + MINUTE


def test_no_more_output_is_kept_than_the_run_was_made_with(stage: Stage) -> None:
    worker = stage.worker()
    settings = policy(retention=RetentionSettings(log=1000))
    stage.add(trigger=Every(DAY), policy=settings)
    (offer,) = stage.start(worker)
    for number in range(5):
        chunk = LogChunk(stream="stdout", offset=number * 500, data=b"x" * 500)
        stage.service.leasing.log(
            worker.tenant, worker.id, offer.run.id, offer.token, [chunk]
        )
    chunks, _ = stage.service.runs.log(TENANT, offer.run.id)
    assert 0 < sum(len(chunk.data) for chunk in chunks) <= 1000


def test_what_runs_at_most_once_is_never_started_again(stage: Stage) -> None:
    worker = stage.worker()
    settings = policy(delivery="at_most_once")
    schedule = stage.add(trigger=Every(DAY), policy=settings)
    stage.start(worker)
    stage.tick(MINUTE + SECOND)
    run = stage.run(schedule)
    assert (run.state, run.reason) == (RunState.FAILED, Reason.LOST)
    assert stage.poll(worker).offers == ()


def test_an_offer_that_was_not_confirmed_is_given_again_even_at_most_once(
    stage: Stage,
) -> None:
    worker = stage.worker()
    stage.add(trigger=Every(DAY), policy=policy(delivery="at_most_once"))
    (offer,) = stage.poll(worker).offers
    (again,) = stage.poll(worker).offers
    assert (again.run.id, again.token) == (offer.run.id, offer.token + 1)


def test_a_run_gives_way_to_a_more_urgent_one(stage: Stage) -> None:
    worker = stage.worker(slots=1)
    low = stage.add(trigger=Every(DAY), policy=policy(preemptible=True))
    (offer,) = stage.start(worker, slots=1)
    stage.tick(SECOND)
    high = stage.add(trigger=Every(DAY), policy=policy(priority=5))
    stage.news.clear()
    stage.tick(timedelta(milliseconds=499))
    assert stage.run(low).state is RunState.RUNNING
    stage.tick(timedelta(milliseconds=1))
    run = stage.run(low)
    assert (run.state, run.reason) == (RunState.STOPPING, Reason.PREEMPTED)
    assert any(worker.id in wake.workers for wake in stage.news)
    (revoked,) = stage.again(worker, slots=0, holding=held([offer])).revoked
    assert revoked.reason == "preempted"
    stage.end(worker, offer, state=AttemptState.PREEMPTED, reason=Reason.PREEMPTED)
    run = stage.run(low)
    assert (run.state, run.failures, run.lost) == (RunState.PENDING, 0, 0)
    (next_one,) = stage.poll(worker, slots=1).offers
    assert next_one.run.id == stage.run(high).id


def test_whoever_is_urgent_waits_for_no_slow_tick(stage: Stage) -> None:
    worker = stage.worker(slots=1)
    low = stage.add(trigger=Every(DAY), policy=policy(preemptible=True))
    (offer,) = stage.start(worker, slots=1)
    stage.tick(SECOND)
    began = stage.clock.now()
    # Right after a tick: for all that the ticker knows, nothing comes.
    stage.add(trigger=Every(DAY), policy=policy(priority=5))
    while (again_at := stage.tick()) and stage.run(low).state is RunState.RUNNING:
        stage.clock.advance(again_at - stage.clock.now())
    assert stage.clock.now() - began <= timedelta(milliseconds=750)
    stage.end(worker, offer, state=AttemptState.PREEMPTED, reason=Reason.PREEMPTED)
    # Nothing may give way any more: there is no hurry.
    assert stage.tick() - stage.clock.now() == SECOND


def test_no_more_than_half_of_a_worker_catches_up(stage: Stage) -> None:
    worker = stage.worker(slots=4)
    stage.tick()
    for _ in range(4):
        stage.add(trigger=Every(HOUR), start_at=stage.clock.now() + MINUTE)
    stage.tick(2 * MINUTE)
    assert len(stage.poll(worker, slots=4).offers) == 2
