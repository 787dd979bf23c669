"""Which task a run executes, and what its trigger changed of it: args, env, stdin."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from crony import errors
from crony.errors import Fault
from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.task import MOST_COMMAND, Json, JsonObject, kind


def check(task: JsonObject, overrides: JsonObject | None) -> None:
    """Raise ``InvalidBody`` for overrides that a task has no use for, or no room."""
    if not overrides:
        return
    if kind(task) == "http":
        raise errors.InvalidBody(
            [
                Fault(f"/task/{name}", f"an http task has no {name}")
                for name in overrides
            ]
        )
    if kind(task) == "command" and "args" in overrides:
        size = _size(_command(task["command"], overrides["args"]))
        if size > MOST_COMMAND:
            detail = (
                f"with these the command has {size} bytes; at most "
                f"{MOST_COMMAND >> 10} KiB are taken in all"
            )
            raise errors.InvalidBody([Fault("/task/args", detail)])


def _size(command: Json) -> int:
    """Return how many bytes a command has, with its arguments."""
    parts = command if isinstance(command, (list, tuple)) else [command]
    return sum(len(str(part).encode()) for part in parts)


def task_of(run: Run, definition: Definition) -> JsonObject:
    """Return the task of a run: its schedule's own, or that of its hook.

    ``definition`` is the one of the run's revision.
    """
    task = definition.task if run.hook is None else definition.hooks[run.hook].task
    return effective_task(task, run.overrides)


def effective_task(task: JsonObject, overrides: JsonObject | None) -> JsonObject:
    """Return a task with overrides laid over it.

    Variables are added to those of the task, and ``stdin`` replaces its. ``args``
    follow those of a command, and replace those of a script or a Python function. A
    hook's request sends as its body what another task would read from ``stdin``, where
    it may have a body and has none of its own.
    """
    if not overrides:
        return task
    if kind(task) == "http":
        request = _object(task["http"])
        return {**task, "http": _request(request, overrides.get("stdin"))}
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


#: Methods of requests that bring something.
_WITH_BODY = ("POST", "PUT", "PATCH")


def _request(request: Mapping[str, Json], body: Json) -> JsonObject:
    """Return a request with a body of JSON, if there is a place for it."""
    has_place = request.get("body") is None and request.get("method") in _WITH_BODY
    if body is None or not has_place:
        return request
    headers = _object(request.get("headers"))
    if not any(name.lower() == "content-type" for name in headers):
        headers = {**headers, "Content-Type": "application/json"}
    return {**request, "headers": headers, "body": body}


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
