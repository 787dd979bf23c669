"""A task's environment: its own variables and the facts of its run."""

import pytest

from crony import errors
from crony.model.task import Json
from crony.worker.tasks.environment import environment
from tests.unit.worker.factories import body, lease


def wishing(*names: str) -> dict[str, Json]:
    """Return a sandbox that asks for variables of the worker."""
    sandbox = dict(body()["sandbox"])  # type: ignore[arg-type]  # an object
    sandbox["pass_env"] = list(names)
    return sandbox


def test_the_facts_of_the_run_are_there() -> None:
    found = environment(lease(), allowed=(), environ={})
    assert found == {
        "CRONY_SCHEDULE_ID": "sch_1",
        "CRONY_SCHEDULE_NAME": "nightly",
        "CRONY_RUN_ID": "run_1",
        "CRONY_SCHEDULED_FOR": "2026-11-20T01:30:00.000Z",
        "CRONY_ATTEMPT": "1",
        "CRONY_TOKEN": "7",
        "CRONY_DEADLINE": "",
    }


def test_a_deadline_is_told_as_the_service_has_it() -> None:
    late = lease(deadline_at="2026-11-20T03:30:00.000Z")
    found = environment(late, allowed=(), environ={})
    assert found["CRONY_DEADLINE"] == "2026-11-20T03:30:00.000Z"


def test_a_schedule_without_a_name_has_an_empty_one() -> None:
    found = environment(lease(schedule_name=None), allowed=(), environ={})
    assert found["CRONY_SCHEDULE_NAME"] == ""


def test_the_tasks_own_variables_are_there_and_forge_no_facts() -> None:
    task: dict[str, Json] = {
        "command": ["true"],
        "env": {"LEVEL": "info", "CRONY_TOKEN": "1"},
    }
    found = environment(lease(task=task), allowed=(), environ={})
    assert found["LEVEL"] == "info"
    assert found["CRONY_TOKEN"] == "7"


def test_nothing_of_the_workers_own_environment_goes_in_unasked() -> None:
    environ = {"CRONY_KEY": "crony_secret", "PATH": "/bin", "HOME": "/root"}
    found = environment(lease(), allowed=("PATH",), environ=environ)
    assert set(environ) & set(found) == set()


def test_a_variable_goes_in_when_both_sides_want_it() -> None:
    found = environment(
        lease(sandbox=wishing("PROXY")),
        allowed=("PROXY", "OTHER"),
        environ={"PROXY": "http://proxy", "OTHER": "x"},
    )
    assert found["PROXY"] == "http://proxy"
    assert "OTHER" not in found


def test_a_variable_that_the_operator_does_not_allow_stops_the_run() -> None:
    with pytest.raises(errors.SandboxFailed, match="SECRET"):
        environment(lease(sandbox=wishing("SECRET")), allowed=(), environ={})


def test_the_workers_key_never_goes_in_whoever_allows_it() -> None:
    with pytest.raises(errors.SandboxFailed, match="CRONY_KEY"):
        environment(
            lease(sandbox=wishing("CRONY_KEY")),
            allowed=("CRONY_KEY",),
            environ={"CRONY_KEY": "crony_secret"},
        )
