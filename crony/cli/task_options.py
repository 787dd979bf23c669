"""The options of `crony add` that say what to run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from crony.model.task import Json, JsonObject


class TaskOptions(NamedTuple):
    """All that was said about the task, as it was written."""

    command: Sequence[str] = ()
    shell: str | None = None
    script: str | None = None
    python: str | None = None
    args: str | None = None
    kwargs: str | None = None
    http: str | None = None
    method: str | None = None
    header: Sequence[str] = ()
    body: str | None = None
    expect_status: str | None = None
    env: Sequence[str] = ()
    stdin: str | None = None
    workdir: str | None = None


OPTIONS = (
    click.option("--shell", metavar="LINE", help="Run a line of shell."),
    click.option("--script", metavar="FILE", help="Run a script; - is stdin."),
    click.option("--python", metavar="MODULE:FUNCTION", help="Call a function."),
    click.option("--args", metavar="JSON", help="The function's arguments, a list."),
    click.option("--kwargs", metavar="JSON", help="Its named arguments, an object."),
    click.option("--http", metavar="URL", help="Send an HTTP request."),
    click.option("--method", metavar="WORD", help="The request's method."),
    click.option("--header", metavar="K=V", multiple=True, help="A header of it."),
    click.option("--body", metavar="TEXT", help="The request's body."),
    click.option("--expect-status", metavar="2xx", help="What counts as success."),
    click.option("--env", metavar="K=V", multiple=True, help="A variable of the task."),
    click.option("--stdin", metavar="FILE", help="What the task reads; - is stdin."),
    click.option("--workdir", metavar="DIR", help="Where the task starts."),
)


def task_of(said: TaskOptions) -> JsonObject | None:
    """Return the task, or None when nothing was said of one."""
    kinds = [
        name
        for name in ("command", "shell", "script", "python", "http")
        if getattr(said, name)
    ]
    if len(kinds) > 1:
        named = " and ".join("a command" if k == "command" else f"--{k}" for k in kinds)
        raise click.UsageError(f"{named} exclude each other: a schedule has one task.")
    if not kinds:
        return None
    task = _MAKERS[kinds[0]](said)
    task.update(_surroundings(said))
    return task


def pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    """Return ``K=V`` options as a mapping."""
    made: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not name or not equals:
            raise click.UsageError(f'{option} "{value}" is not of the form NAME=VALUE.')
        made[name] = rest
    return made


def content(option: str, path: str) -> str:
    """Return the text of a file; ``-`` is standard input."""
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return raw.decode()
    except OSError as exc:
        raise click.UsageError(f"{option} {path}: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise click.UsageError(f"{option} {path} is not UTF-8 text.") from exc


def parsed(
    option: str, text: str, kind: type[list[Json]] | type[dict[str, Json]]
) -> Json:
    """Return the JSON of an option, which must be a list or an object."""
    try:
        value: Json = json.loads(text)
    except ValueError as exc:
        raise click.UsageError(f"{option} is not JSON: {exc}.") from exc
    if not isinstance(value, kind):
        wanted = "a list" if kind is list else "an object"
        raise click.UsageError(f"{option} must be {wanted}, such as {kind()}.")
    return value


def _command(said: TaskOptions) -> dict[str, Json]:
    return {"command": list(said.command)}


def _shell(said: TaskOptions) -> dict[str, Json]:
    return {"command": said.shell}


def _script(said: TaskOptions) -> dict[str, Json]:
    return {"script": content("--script", said.script or "")}


def _python(said: TaskOptions) -> dict[str, Json]:
    task: dict[str, Json] = {"python": said.python}
    if said.args:
        task["args"] = parsed("--args", said.args, list)
    if said.kwargs:
        task["kwargs"] = parsed("--kwargs", said.kwargs, dict)
    return task


def _http(said: TaskOptions) -> dict[str, Json]:
    request: dict[str, Json] = {"url": said.http}
    if said.method:
        request["method"] = said.method.upper()
    if said.header:
        request["headers"] = pairs("--header", said.header)
    if said.body is not None:
        request["body"] = said.body
    if said.expect_status:
        request["expect_status"] = said.expect_status
    return {"http": request}


def _surroundings(said: TaskOptions) -> dict[str, Json]:
    made: dict[str, Json] = {}
    if said.env:
        made["env"] = pairs("--env", said.env)
    if said.stdin:
        made["stdin"] = content("--stdin", said.stdin)
    if said.workdir:
        made["workdir"] = said.workdir
    return made


_MAKERS = {
    "command": _command,
    "shell": _shell,
    "script": _script,
    "python": _python,
    "http": _http,
}
