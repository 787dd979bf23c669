"""When the interpreter of a python task may start before the task does."""

from __future__ import annotations

import json

import pytest

from crony.model.task import Json
from crony.worker.sandbox import Command
from crony.worker.tasks.python import python
from tests.unit.worker import factories


def command(env: dict[str, str], *, ahead: bool) -> Command:
    task: dict[str, Json] = {"python": "json:loads", "args": ["1"], "env": {}}
    return python(
        factories.lease(task=task), env, interpreter="/usr/bin/python3", ahead=ahead
    )


def stands(made: Command) -> bool:
    """Both sides of the gate must think the same of it."""
    call = json.loads(made.files[".crony-call.json"][0])
    assert made.stands == call["stands"]
    return made.stands


def test_it_starts_ahead_where_nothing_of_the_task_is_executed_by_that() -> None:
    assert stands(command({"LANG": "C", "MY_PYTHON": "3"}, ahead=True))


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME"])
def test_it_does_not_where_a_variable_could_have_it_execute_something(
    name: str,
) -> None:
    assert not stands(command({name: "/srv"}, ahead=True))


def test_it_does_not_where_the_operator_wants_it_so() -> None:
    assert not stands(command({}, ahead=False))
