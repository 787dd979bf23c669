"""When the interpreter of a python task may start before the task does."""

from __future__ import annotations

import json

import pytest

from crony.model.task import Json
from crony.worker.sandbox import Command, gate
from crony.worker.tasks import call
from crony.worker.tasks.python import python
from tests.unit.worker import factories


def command(env: dict[str, str], *, ahead: bool) -> Command:
    task: dict[str, Json] = {"python": "json:loads", "args": ["1"], "env": {}}
    return python(
        factories.lease(task=task), env, interpreter="/usr/bin/python3", ahead=ahead
    )


def stands(made: Command) -> bool:
    """Tell so, if both sides of the gate think the same of it."""
    said = json.loads(made.files[".crony-call.json"][0])
    assert made.stands == (said["env"] is not None)
    assert not (made.stands and made.env)
    return made.stands


def test_it_starts_ahead_where_nothing_of_the_task_is_executed_by_that() -> None:
    assert stands(command({"TZ": "UTC", "MY_PYTHON": "3"}, ahead=True))


@pytest.mark.parametrize(
    "name", ["PYTHONPATH", "LD_PRELOAD", "HOME", "PATH", "LC_ALL", "GLIBC_TUNABLES"]
)
def test_it_does_not_where_a_variable_would_make_another_interpreter_of_it(
    name: str,
) -> None:
    assert not stands(command({name: "/srv"}, ahead=True))


def test_it_does_not_where_the_operator_wants_it_so() -> None:
    assert not stands(command({}, ahead=False))


def test_the_words_of_the_gate_are_the_same_on_both_sides() -> None:
    """What is copied into a sandbox can import nothing of ours."""
    ours = (gate.GATE, gate.STATUS, gate.LEASH)
    assert ours == (call._GATE, call._STATUS, call._LEASH)
