"""What a manual trigger may change of a task: its args, env and stdin."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from crony import errors
from crony.errors import Fault
from crony.model.task import Json, JsonObject, kind


def check(task: JsonObject, overrides: JsonObject | None) -> None:
    """Raise ``InvalidBody`` for overrides that this kind of task has no use for."""
    if overrides is None or kind(task) != "http":
        return
    faults = [
        Fault(f"/task/{name}", f"an http task has no {name}") for name in overrides
    ]
    if faults:
        raise errors.InvalidBody(faults)


def effective_task(task: JsonObject, overrides: JsonObject | None) -> JsonObject:
    """Return a task with overrides laid over it.

    Variables are added to those of the task, and ``stdin`` replaces its. ``args``
    follow those of a command, and replace those of a script or a Python function.
    """
    if not overrides:
        return task
    changed: dict[str, Json] = dict(task)
    if "env" in overrides:
        changed["env"] = {**_object(task.get("env")), **_object(overrides["env"])}
    if "stdin" in overrides:
        changed["stdin"] = overrides["stdin"]
    if "args" in overrides:
        args = overrides["args"]
        if kind(task) == "command":
            changed["command"] = _command(task["command"], args)
        else:
            changed["args"] = args
    return changed


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _command(command: Json, args: Json) -> Json:
    """Return a command, an argv or a shell line, with more arguments."""
    if not isinstance(args, (list, tuple)):
        return command
    if isinstance(command, str):
        return f"{command} {shlex.join(str(arg) for arg in args)}" if args else command
    if isinstance(command, (list, tuple)):
        return [*command, *args]
    return command
