"""Runs that people start, repeat and stop."""

from __future__ import annotations

import pytest

from crony import errors
from crony.model.state import Origin, RunState
from crony.model.trigger import Every
from crony.scheduler.overrides import effective_task
from tests.unit.scheduler.stage import DAY, HOUR, MINUTE, TENANT, Stage, at


def test_a_manual_run_is_due_now_also_while_paused(stage: Stage) -> None:
    schedule = stage.add(paused=True)
    run = stage.service.runs.trigger(TENANT, schedule.id)
    assert (run.origin, run.state) == (Origin.MANUAL, RunState.PENDING)
    assert run.scheduled_for == run.due_at == stage.clock.now()


def test_the_same_number_makes_the_same_run_later_too(stage: Stage) -> None:
    schedule = stage.add(paused=True)
    number = stage.service.runs.new_number()
    first = stage.service.runs.trigger(TENANT, schedule.id, n=number)
    stage.advance(MINUTE)
    again = stage.service.runs.trigger(TENANT, schedule.id, n=number)
    assert again.id == first.id
    assert first.scheduled_for == at("12:00:00")
    assert len(stage.runs(schedule)) == 1


def test_two_manual_runs_at_one_instant_are_two(stage: Stage) -> None:
    schedule = stage.add(paused=True)
    for _ in range(2):
        stage.service.runs.trigger(TENANT, schedule.id)
    assert len(stage.runs(schedule)) == 2


def test_a_run_that_is_not_over_can_not_be_retried(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(DAY))
    with pytest.raises(errors.Conflict):
        stage.service.runs.retry(TENANT, stage.run(schedule).id)


def test_a_retry_points_to_what_it_repeats(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(DAY))
    old = stage.service.runs.cancel(TENANT, stage.run(schedule).id)
    stage.advance(HOUR)
    new = stage.service.runs.retry(TENANT, old.id)
    assert (new.parent, new.origin) == (old.id, Origin.RETRY)
    assert new.scheduled_for == old.scheduled_for
    assert new.due_at == stage.clock.now()


def test_a_stretch_of_occurrences_can_not_be_retried(stage: Stage) -> None:
    schedule = stage.add(paused=True)
    stage.advance(HOUR)
    stage.service.schedules.resume(TENANT, schedule.id)
    (skipped,) = stage.runs(schedule, RunState.SKIPPED)
    with pytest.raises(errors.Conflict):
        stage.service.runs.retry(TENANT, skipped.id)


def test_a_run_that_is_over_can_not_be_cancelled(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(DAY))
    run = stage.run(schedule)
    stage.service.runs.cancel(TENANT, run.id)
    with pytest.raises(errors.RunOver):
        stage.service.runs.cancel(TENANT, run.id)


def test_the_worker_of_a_cancelled_offer_is_told(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(DAY))
    stage.poll(worker)
    stage.news.clear()
    stage.service.runs.cancel(TENANT, stage.run(schedule).id)
    assert any(worker.id in wake.workers for wake in stage.news)


def test_the_output_of_a_run_that_never_started_is_empty(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(DAY))
    assert stage.service.runs.log(TENANT, stage.run(schedule).id) == ((), False)


def test_overrides_are_laid_over_the_task() -> None:
    task = {"command": ["a", "b"], "env": {"X": "1", "Y": "1"}, "stdin": "old"}
    changed = effective_task(task, {"args": ["c d"], "env": {"Y": "2"}, "stdin": "new"})
    assert changed == {
        "command": ["a", "b", "c d"],
        "env": {"X": "1", "Y": "2"},
        "stdin": "new",
    }


def test_arguments_of_a_shell_line_are_quoted() -> None:
    changed = effective_task({"command": "echo hi |"}, {"args": ["x; rm y"]})
    assert changed == {"command": "echo hi | 'x; rm y'"}


def test_arguments_of_a_function_are_replaced() -> None:
    task = {"python": "m:f", "args": [1]}
    assert effective_task(task, {"args": [2]}) == {"python": "m:f", "args": [2]}


def test_an_http_task_takes_no_arguments(stage: Stage) -> None:
    schedule = stage.add(task={"http": {"url": "https://example.org"}}, paused=True)
    with pytest.raises(errors.InvalidBody) as caught:
        stage.service.runs.trigger(TENANT, schedule.id, overrides={"args": ["x"]})
    assert [fault.pointer for fault in caught.value.faults] == ["/task/args"]
