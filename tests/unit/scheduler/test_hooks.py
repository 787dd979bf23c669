"""Hooks: owed after an attempt or while it goes on, made runs once, heard out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.hook import Hook, HookKind
from crony.model.lease import Offer
from crony.model.policy import RetriesSettings
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, RunState
from crony.model.trigger import Every
from crony.model.worker import Worker
from crony.scheduler.hooks import SAYS, WAIT, Hooks
from crony.testing.factories import make_chunk
from tests.unit.scheduler.stage import DAY, MINUTE, SECOND, TENANT, Stage, held, policy

INTERVAL = timedelta(seconds=30)
HOOKS = {
    HookKind.ERROR: Hook(task={"command": ["on-error"]}),
    HookKind.PROGRESS: Hook(task={"command": ["look"]}, interval=INTERVAL),
    HookKind.SUCCESS: Hook(task={"command": ["on-success"]}),
}


def only(*kinds: HookKind) -> dict[HookKind, Hook]:
    """Return hooks of these kinds."""
    return {kind: HOOKS[kind] for kind in kinds}


def running(stage: Stage, **members: object) -> tuple[Schedule, Worker, Offer]:
    """Start a run of a schedule that has hooks."""
    schedule = stage.add(**({"trigger": Every(DAY), "hooks": HOOKS} | members))
    worker = stage.worker()
    (offer,) = stage.start(worker)
    return schedule, worker, offer


def of_hooks(stage: Stage) -> list[Run]:
    """Return hooks' runs, in the order in which they came due."""
    found = [run for run in stage.runs() if run.origin is Origin.HOOK]
    return sorted(found, key=lambda run: run.due_at)


def hooked(stage: Stage) -> Run:
    """Return the only hook's run."""
    (run,) = of_hooks(stage)
    return run


def taken(stage: Stage, worker: Worker) -> list[Offer]:
    """Lease and confirm what there is, beside what the worker has."""
    offers = list(stage.again(worker).offers)
    stage.service.leasing.confirm(worker.tenant, worker.id, held(offers))
    return offers


def go_on(stage: Stage, worker: Worker, offers: list[Offer]) -> None:
    """Let the time to the next look pass, with these leases renewed."""
    stage.service.leasing.renew(
        worker.tenant, worker.id, session="session", holding=held(offers)
    )
    stage.live(INTERVAL)


def executed(
    stage: Stage, worker: Worker, *, prints: bytes = b"", **facts: object
) -> Run:
    """Let the worker execute the hook that waits; return its run."""
    (offer,) = stage.start(worker)
    if prints:
        stage.service.leasing.log(
            worker.tenant, worker.id, offer.run.id, offer.token, [make_chunk(prints)]
        )
    stage.end(worker, offer, **facts)
    return stage.service.runs.find(TENANT, offer.run.id)


def test_a_failed_attempt_is_followed_by_a_run_of_its_error_hook(stage: Stage) -> None:
    _, worker, offer = running(stage)
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick()
    run = hooked(stage)
    assert (run.parent, run.hook, run.hook_attempt) == (
        offer.run.id,
        HookKind.ERROR,
        1,
    )
    assert (run.state, run.hooks) == (RunState.PENDING, frozenset())
    (given,) = stage.poll(worker).offers
    task = stage.service.runs.effective_task(given.run, given.definition)
    assert task["command"] == ["on-error"]
    assert task["env"]["CRONY_PARENT_RUN_ID"] == offer.run.id  # type: ignore[index,call-overload]


def test_a_run_that_succeeded_is_followed_by_its_success_hook(stage: Stage) -> None:
    _, worker, offer = running(stage)
    stage.end(worker, offer)
    stage.tick()
    assert hooked(stage).hook is HookKind.SUCCESS


def test_each_failed_attempt_has_a_hook_of_its_own(stage: Stage) -> None:
    _, worker, offer = running(
        stage,
        hooks=only(HookKind.ERROR),
        policy=policy(retries=RetriesSettings(max=1, backoff=SECOND)),
    )
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick(SECOND)
    for given in stage.start(worker):
        if given.run.id == offer.run.id:
            stage.end(worker, given, state=AttemptState.FAILED)
    stage.tick()
    assert [run.hook_attempt for run in of_hooks(stage)] == [1, 2]


def test_a_hook_is_bounded_and_tried_once(stage: Stage) -> None:
    _, worker, offer = running(
        stage,
        policy=policy(
            retries=RetriesSettings(max=3),
            deadline=timedelta(hours=1),
            max_runtime=timedelta(hours=6),
            preemptible=True,
        ),
        hooks=only(HookKind.ERROR),
    )
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick()
    holds = hooked(stage).policy
    assert holds.max_runtime == MINUTE
    assert (holds.retries.max, holds.preemptible, holds.deadline) == (0, False, WAIT)
    assert hooked(stage).deadline_at == hooked(stage).due_at + WAIT
    run = executed(stage, worker, state=AttemptState.FAILED)
    assert run.state is RunState.FAILED
    stage.live(MINUTE)
    assert of_hooks(stage)[0].state is RunState.FAILED
    assert len(of_hooks(stage)) == 1


def test_a_crash_between_making_a_run_and_forgetting_what_was_owed_makes_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, worker, offer = running(stage, hooks=only(HookKind.ERROR))
    stage.end(worker, offer, state=AttemptState.FAILED)
    hooks = Hooks(stage.store, wakes=stage.wakes)

    def crash(_: object) -> None:
        raise errors.StoreUnavailable("gone", retry_after=SECOND)

    with monkeypatch.context() as patched:
        patched.setattr(stage.store.runs, "followed", crash)
        with pytest.raises(errors.StoreUnavailable):
            hooks.step(stage.clock.now())
    first = hooked(stage)
    stage.advance(SECOND)
    hooks.step(stage.clock.now())
    assert hooked(stage) == first
    assert not stage.store.runs.follow_ups(limit=9)


def test_two_nodes_make_one_run(stage: Stage) -> None:
    _, worker, offer = running(stage, hooks=only(HookKind.ERROR))
    stage.end(worker, offer, state=AttemptState.FAILED)
    owed = stage.store.runs.follow_ups(limit=9)
    hooks = Hooks(stage.store, wakes=stage.wakes)
    hooks.step(stage.clock.now())
    made = hooked(stage)
    # The other node read the same before the first had forgotten it.
    for item in owed:
        again = hooks._run(item, now=stage.clock.now() + SECOND)
        assert again is not None
        assert again.id == made.id


def test_what_a_deleted_schedule_owes_is_dropped(stage: Stage) -> None:
    schedule, worker, offer = running(stage)
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.delete(schedule)
    stage.tick()
    assert of_hooks(stage) == []
    assert not stage.store.runs.follow_ups(limit=9)


def test_a_run_has_the_hooks_of_the_definition_it_executes(stage: Stage) -> None:
    schedule, worker, offer = running(stage)
    stage.edit(schedule, hooks={HookKind.ERROR: Hook(task={"command": ["other"]})})
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick()
    (given,) = stage.poll(worker).offers
    task = stage.service.runs.effective_task(given.run, given.definition)
    assert task["command"] == ["on-error"]


def test_a_progress_hook_runs_beside_its_run_and_not_beside_itself(
    stage: Stage,
) -> None:
    _, worker, offer = running(stage, policy=policy(max_concurrent=1))
    go_on(stage, worker, [offer])
    first = hooked(stage)
    assert first.deadline_at == first.due_at + INTERVAL
    assert first.policy.max_runtime == INTERVAL
    (given,) = taken(stage, worker)
    assert given.run.id == first.id
    go_on(stage, worker, [offer, given])
    # It looks still.
    assert len(of_hooks(stage)) == 1
    stage.end(worker, given)
    go_on(stage, worker, [offer])
    assert len(of_hooks(stage)) == 2
    assert stage.service.runs.find(TENANT, offer.run.id).state is RunState.RUNNING


def test_a_look_that_found_no_worker_gives_way_to_the_next(stage: Stage) -> None:
    _, worker, offer = running(stage)
    go_on(stage, worker, [offer])
    go_on(stage, worker, [offer])
    assert [run.state for run in of_hooks(stage)] == [
        RunState.EXPIRED,
        RunState.PENDING,
    ]


def test_no_look_is_made_at_a_run_that_has_ended_meanwhile(stage: Stage) -> None:
    _, worker, offer = running(stage, hooks=only(HookKind.PROGRESS))
    stage.store.leases.pulse(now=stage.advance(INTERVAL), limit=9)
    assert stage.store.runs.follow_ups(limit=9)
    stage.end(worker, offer)
    stage.tick()
    assert of_hooks(stage) == []


def test_what_an_error_hook_prints_stands_beside_the_runs_own_error(
    stage: Stage,
) -> None:
    schedule, worker, offer = running(stage, hooks=only(HookKind.ERROR))
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick()
    executed(stage, worker, prints=b"disk 98% full\n")
    (view,) = stage.service.schedules.views([stage.found(schedule)])
    found = [(entry.source, entry.run, entry.text) for entry in view.errors]
    assert sorted(found) == [
        ("hook", offer.run.id, "disk 98% full"),
        ("task", offer.run.id, "exit code 1"),
    ]
    # A hook is none of the schedule's own runs.
    assert [run.id for run in view.recent_runs] == [offer.run.id]
    assert view.last_run is not None
    assert view.last_run.state is RunState.FAILED


def test_what_a_progress_hook_prints_is_how_far_its_run_is(stage: Stage) -> None:
    schedule, worker, offer = running(stage, hooks=only(HookKind.PROGRESS))
    go_on(stage, worker, [offer])
    (given,) = taken(stage, worker)
    chunk = make_chunk(b'{"percent": 40, "message": "half"}\n')
    stage.service.leasing.log(
        worker.tenant, worker.id, given.run.id, given.token, [chunk]
    )
    stage.end(worker, given)
    newest = stage.service.runs.find(TENANT, offer.run.id).progress
    assert newest is not None
    assert (newest.source, newest.percent, newest.message) == ("hook", 40, "half")
    (view,) = stage.service.schedules.views([stage.found(schedule)])
    assert list(view.progress) == [newest]


def test_a_hook_that_fails_changes_nothing_about_its_run(stage: Stage) -> None:
    schedule, worker, offer = running(stage, hooks=only(HookKind.SUCCESS))
    stage.end(worker, offer)
    stage.tick()
    executed(stage, worker, state=AttemptState.FAILED)
    stage.tick()
    assert stage.service.runs.find(TENANT, offer.run.id).state is RunState.SUCCEEDED
    assert len(of_hooks(stage)) == 1
    (view,) = stage.service.schedules.views([stage.found(schedule)])
    (entry,) = view.errors
    assert (entry.source, entry.run) == ("hook", offer.run.id)
    assert entry.text == "exit code 1"


@pytest.mark.parametrize(
    ("prints", "text"),
    [
        (b"x" * 10_000, "x" * SAYS),
        (b"y" + "\N{SNOWMAN}".encode() * 2000, "y" + "\N{SNOWMAN}" * 1365),
        (b"a\0b\xffc\n", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"),
    ],
)
def test_what_a_hook_prints_is_bounded_and_made_text(
    stage: Stage, prints: bytes, text: str
) -> None:
    schedule, worker, offer = running(stage, hooks=only(HookKind.ERROR))
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick()
    executed(stage, worker, prints=prints)
    (view,) = stage.service.schedules.views([stage.found(schedule)])
    assert text in [entry.text for entry in view.errors if entry.source == "hook"]


def test_standard_error_counts_after_standard_output(stage: Stage) -> None:
    schedule, worker, offer = running(stage, hooks=only(HookKind.ERROR))
    stage.end(worker, offer, state=AttemptState.FAILED)
    stage.tick()
    (given,) = stage.start(worker)
    for stream, data in (("stderr", b"warning\n"), ("stdout", b"said\n")):
        chunk = make_chunk(data, stream=stream)
        stage.service.leasing.log(
            worker.tenant, worker.id, given.run.id, given.token, [chunk]
        )
    stage.end(worker, given)
    (view,) = stage.service.schedules.views([stage.found(schedule)])
    assert "said\nwarning" in [entry.text for entry in view.errors]


def test_of_a_request_counts_what_it_was_answered(stage: Stage) -> None:
    schedule, worker, offer = running(stage, hooks=only(HookKind.SUCCESS))
    stage.end(worker, offer)
    stage.tick()
    executed(stage, worker, result={"status": 200, "body": "noted"})
    (view,) = stage.service.schedules.views([stage.found(schedule)])
    assert [entry.message for entry in view.progress] == ["noted"]


def test_a_hooks_run_is_not_retried_by_hand(stage: Stage) -> None:
    _, worker, offer = running(stage, hooks=only(HookKind.SUCCESS))
    stage.end(worker, offer)
    stage.tick()
    run = executed(stage, worker)
    with pytest.raises(errors.Conflict, match=offer.run.id):
        stage.service.runs.retry(TENANT, run.id)


def test_a_hook_that_can_not_be_made_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crony.scheduler.hooks._LIMIT", 1)
    worker = stage.worker()
    for _ in range(2):
        stage.add(trigger=Every(DAY), hooks=only(HookKind.SUCCESS))
    bad, good = stage.start(worker)
    find = stage.store.runs.find

    def fail(tenant: str, run: str) -> Run | None:
        if run == bad.run.id:
            raise ValueError("no run can be read from this row")
        return find(tenant, run)

    with monkeypatch.context() as broken:
        broken.setattr(stage.store.runs, "find", fail)
        for offer in (bad, good):
            stage.end(worker, offer)
            stage.tick(SECOND)
        assert hooked(stage).parent == good.run.id
    stage.tick()
    assert {run.parent for run in of_hooks(stage)} == {bad.run.id, good.run.id}


def test_hooks_that_hang_leave_slots_to_what_is_due(stage: Stage) -> None:
    stage.add(trigger=Every(SECOND), hooks=only(HookKind.ERROR))
    worker = stage.worker(slots=4)
    hanging: list[Offer] = []
    failed = 0
    for _ in range(8):
        stage.tick(SECOND)
        polled = stage.poll(worker, slots=4 - len(hanging), holding=held(hanging))
        stage.service.leasing.confirm(worker.tenant, worker.id, held(polled.offers))
        for offer in polled.offers:
            if offer.run.origin is Origin.HOOK:
                hanging.append(offer)
            else:
                stage.end(worker, offer, state=AttemptState.FAILED)
                failed += 1
    assert failed >= 7
    # The first one, and what may catch up beside it.
    assert len(hanging) == 3
    first, *others = of_hooks(stage)
    assert [first.catch_up, *{run.catch_up for run in others}] == [False, True]


def test_a_hook_after_one_that_is_over_does_not_catch_up(stage: Stage) -> None:
    stage.add(trigger=Every(SECOND), hooks=only(HookKind.ERROR))
    worker = stage.worker()
    for _ in range(4):
        stage.tick(SECOND)
        for offer in stage.start(worker):
            stage.end(worker, offer, state=AttemptState.FAILED)
    assert len(of_hooks(stage)) >= 2
    assert not any(run.catch_up for run in of_hooks(stage))
