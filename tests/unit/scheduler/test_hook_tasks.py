"""Which task a hook's run executes, and what it is told of the run it follows."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from crony.model.hook import FollowUp, Hook, HookKind
from crony.model.run import Attempt, Run
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.scheduler.hooks import facts
from crony.scheduler.overrides import effective_task, task_of
from crony.testing.clock import START
from crony.testing.factories import make_definition, make_run, make_schedule


def parent(**changes: object) -> Run:
    """Return a run that has failed for good."""
    attempt = Attempt(
        number=2,
        token=5,
        state=AttemptState.FAILED,
        reason=Reason.EXIT,
        worker="wrk_1",
        worker_name="host-a",
        leased_at=START,
        exit_code=3,
        error="exit code 3",
    )
    members: dict[str, object] = {
        "state": RunState.FAILED,
        "reason": Reason.EXIT,
        "attempt": 2,
        "attempts": (attempt,),
        "started_at": START,
    }
    return make_run(make_schedule(name="nightly"), **members | changes)


def owed(run: Run, **changes: object) -> FollowUp:
    """Return what is owed after its attempt."""
    members: dict[str, object] = {"attempt": 2, "kind": HookKind.ERROR} | changes
    return FollowUp(
        tenant=run.tenant,
        schedule=run.schedule,
        run=run.id,
        number=1,
        at=START + timedelta(seconds=1),
        **members,  # type: ignore[arg-type]  # the test's
    )


def test_a_hooks_run_executes_the_hooks_task_and_not_the_schedules() -> None:
    definition = make_definition(
        task={"command": ["work"]},
        hooks={HookKind.ERROR: Hook(task={"command": ["notify"], "env": {"A": "1"}})},
    )
    run = parent()
    assert task_of(run, definition) == {"command": ["work"]}
    told = {"env": {"CRONY_HOOK": "error"}, "stdin": "{}"}
    hook = parent(origin=Origin.HOOK, hook=HookKind.ERROR, overrides=told)
    assert task_of(hook, definition) == {
        "command": ["notify"],
        "env": {"A": "1", "CRONY_HOOK": "error"},
        "stdin": "{}",
    }


def test_a_hook_is_told_of_the_attempt_that_it_follows() -> None:
    run = parent()
    told = facts(owed(run), run)
    assert told["env"] == {
        "CRONY_HOOK": "error",
        "CRONY_PARENT_RUN_ID": run.id,
        "CRONY_PARENT_STATE": "failed",
        "CRONY_PARENT_REASON": "exit",
        "CRONY_PARENT_ATTEMPT": "2",
        "CRONY_PARENT_STARTED_AT": "2026-11-20T12:00:00.000Z",
        "CRONY_PARENT_ATTEMPT_STATE": "failed",
        "CRONY_PARENT_EXIT_CODE": "3",
        "CRONY_PARENT_SIGNAL": "",
        "CRONY_PARENT_ERROR": "exit code 3",
    }
    stdin = json.loads(str(told["stdin"]))
    assert (stdin["id"], stdin["state"]) == (run.id, "failed")
    assert stdin["schedule_name"] == "nightly"


def test_a_hook_is_told_of_its_own_attempt_also_when_a_newer_one_is_there() -> None:
    run = parent(state=RunState.PENDING, attempt=3)
    env = facts(owed(run), run)["env"]
    assert isinstance(env, dict)
    assert env["CRONY_PARENT_STATE"] == "pending"
    assert (env["CRONY_PARENT_ATTEMPT"], env["CRONY_PARENT_EXIT_CODE"]) == ("2", "3")


def test_a_request_carries_as_its_body_what_others_read() -> None:
    task = {"http": {"method": "POST", "url": "https://a/", "headers": {}}}
    sent = effective_task(task, {"env": {"A": "1"}, "stdin": '{"id": 1}'})
    assert sent == {
        "http": {
            "method": "POST",
            "url": "https://a/",
            "headers": {"Content-Type": "application/json"},
            "body": '{"id": 1}',
        }
    }


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "GET", "url": "https://a/", "headers": {}, "body": None},
        {"method": "POST", "url": "https://a/", "headers": {}, "body": "own"},
    ],
)
def test_a_request_without_a_place_for_it_stays_as_it_is(
    request_: dict[str, object],
) -> None:
    task = {"http": request_}
    assert effective_task(task, {"stdin": "{}"}) == task  # type: ignore[arg-type]


def test_a_request_keeps_its_own_kind_of_content() -> None:
    headers = {"content-type": "text/plain"}
    task = {"http": {"method": "PUT", "url": "https://a/", "headers": headers}}
    sent = effective_task(task, {"stdin": "{}"})  # type: ignore[arg-type]
    assert sent["http"]["headers"] == headers  # type: ignore[index,call-overload]
