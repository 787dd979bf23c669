"""Hooks in a schedule's body: read, shown as written, and refused with pointers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crony import errors
from crony.api.bodies.schedule import definition_of
from crony.api.render.schedule import written
from crony.model.hook import Hook, HookKind
from crony.model.schedule import Definition
from crony.model.task import Json

_COMMAND = {"command": ["notify"], "env": {}, "stdin": "", "workdir": None}


def definition(hooks: Json) -> Definition:
    """Return the definition of a schedule with these hooks."""
    return definition_of(
        {"every": "1h", "task": {"command": "true"}, "hooks": hooks},
        tenant="default",
        now=datetime(2026, 11, 20, tzinfo=UTC),
        check=lambda _: [],
        exists=lambda *_: True,
    )


def faults(hooks: Json) -> dict[str, str]:
    """Return what is wrong, by pointer."""
    with pytest.raises(errors.InvalidBody) as caught:
        definition(hooks)
    return {fault.pointer: fault.detail for fault in caught.value.faults}


def test_hooks_are_shown_as_they_were_written() -> None:
    task = {"command": ["notify"]}
    made = definition(
        {"error": {"task": task}, "progress": {"task": task, "interval": "90s"}}
    )
    assert made.hooks == {
        HookKind.ERROR: Hook(task=_COMMAND),
        HookKind.PROGRESS: Hook(task=_COMMAND, interval=timedelta(seconds=90)),
    }
    assert written(made)["hooks"] == {
        "error": {"task": _COMMAND},
        "progress": {"task": _COMMAND, "interval": "1m30s"},
    }
    assert definition(written(made)["hooks"]) == made


def test_a_progress_hook_comes_every_thirty_seconds_unless_said_otherwise() -> None:
    made = definition({"progress": {"task": {"command": ["p"]}}})
    assert made.hooks[HookKind.PROGRESS].interval == timedelta(seconds=30)


def test_a_schedule_without_hooks_shows_none() -> None:
    assert written(definition({}))["hooks"] == {}
    assert written(definition({"success": None}))["hooks"] == {}


def test_all_faults_of_hooks_come_together_with_their_pointers() -> None:
    found = faults(
        {
            "error": {"task": {"command": []}},
            "progress": {"task": {"script": "x", "http": {}}, "interval": "0.5s"},
            "success": {"interval": "3s"},
            "failure": {},
        }
    )
    assert found["/hooks/error/task/command"].startswith("must be a shell line")
    assert "exactly one of" in found["/hooks/progress/task"]
    assert found["/hooks/progress/interval"].startswith('"0.5s" is out of 1s..')
    assert found["/hooks/success/task"] == "is required"
    assert found["/hooks/success/interval"] == "unknown field"
    assert "/hooks/failure" in found


@pytest.mark.parametrize("hooks", [None, [], "error"])
def test_hooks_must_be_an_object(hooks: Json) -> None:
    assert faults(hooks)["/hooks"].startswith("must be an object")
