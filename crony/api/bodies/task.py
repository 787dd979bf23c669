"""What a schedule does: one model for each kind of task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from crony.api.bodies.faults import MOST_HINTS, checked, escaped, unknown
from crony.api.bodies.fields import Body, Environment, JsonValue, LongText, Shape
from crony.errors import Fault
from crony.model.task import KINDS, MOST_COMMAND, Json, JsonObject

_MOST_ARGUMENTS = 4096
_LONGEST = MOST_COMMAND >> 10


def _command(value: object) -> object:
    if isinstance(value, str):
        if not value.strip():
            raise ValueError("must not be blank")
        if len(value.encode()) > MOST_COMMAND:
            raise ValueError(f"is longer than {_LONGEST} KiB")
        return value
    if not isinstance(value, list) or not value:
        raise ValueError('must be a shell line, or an array such as ["echo", "hello"]')
    if len(value) > _MOST_ARGUMENTS:
        raise ValueError(f"has more than {_MOST_ARGUMENTS} arguments")
    for argument in value:
        if not isinstance(argument, str):
            raise ValueError("must be an array of strings alone")
    if not value[0]:
        raise ValueError("must begin with the name of a program")
    if sum(len(argument.encode()) for argument in value) > MOST_COMMAND:
        raise ValueError(f"is longer than {_LONGEST} KiB in all")
    return value


CommandLine: TypeAlias = Annotated[
    str | list[str],
    PlainValidator(_command),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "string", "minLength": 1, "pattern": r"\S"},
                {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": _MOST_ARGUMENTS,
                },
            ],
            "examples": [["python3", "report.py"]],
        }
    ),
]


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        sound = False
    if not sound or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError(f'"{value[:80]}" is not a URL of http or https')
    return value


class _Local(Body):
    """What the tasks that run in a sandbox share."""

    env: Environment = {}
    stdin: LongText = ""
    workdir: Annotated[str, Field(min_length=1, max_length=4096)] | None = None


class CommandTask(_Local):
    """A program with its arguments, or a shell line."""

    command: CommandLine


def _script(value: object) -> object:
    if value == "":
        raise ValueError("must not be empty")
    return value


ScriptText: TypeAlias = Annotated[
    LongText,
    BeforeValidator(_script),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "description": "At most 256 KiB.",
            "examples": ["#!/bin/sh\necho hello\n"],
        }
    ),
]


class ScriptTask(_Local):
    """A script with its own first line."""

    script: ScriptText


_DOTTED = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_FUNCTION = f"{_DOTTED}:{_DOTTED}"


class PythonTask(_Local):
    """A function of the worker's interpreter."""

    python: Annotated[
        str,
        Field(max_length=1024),
        Shape(_FUNCTION, "a function of a module", "package.module:function"),
    ]
    args: list[JsonValue] = []
    kwargs: dict[str, JsonValue] = {}


HeaderName: TypeAlias = Annotated[
    str,
    Shape(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", "the name of a header", "Accept"),
]
HeaderValue: TypeAlias = Annotated[
    str,
    Field(max_length=8192),
    Shape(r"[\t\x20-\x7e\x80-\xff]*", "the value of a header", "text/plain"),
]


class HttpRequest(Body):
    """A request that the worker sends."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url: Annotated[
        str,
        Field(min_length=1, max_length=8192, examples=["https://example.org/"]),
        AfterValidator(_url),
    ]
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=100)] = {}
    body: LongText | None = None
    expect_status: Annotated[
        str, Shape(r"[1-5](xx|[0-9][0-9])", "a status or a class of them", "2xx")
    ] = "2xx"


class HttpTask(Body):
    """One HTTP request, sent by the worker under its operator's rules."""

    http: HttpRequest


_MODELS: Mapping[str, type[Body]] = {
    "command": CommandTask,
    "script": ScriptTask,
    "python": PythonTask,
    "http": HttpTask,
}


#: A task of any kind, as a member of another body.
TASK_SCHEMA: dict[str, object] = {
    "oneOf": [
        {"$ref": f"#/components/schemas/{model.__name__}"} for model in _MODELS.values()
    ],
    "examples": [{"command": ["echo", "hello"]}],
}


def faults_of_task(
    value: Json, *, at: str = "/task"
) -> tuple[JsonObject | None, list[Fault]]:
    """Return the task with all its members, or its faults with their pointers."""
    if not isinstance(value, Mapping):
        return None, [Fault(at, "must be an object")]
    kinds = [kind for kind in KINDS if kind in value]
    if len(kinds) != 1:
        names = ", ".join(f'"{kind}"' for kind in KINDS)
        found = ", ".join(f'"{kind}"' for kind in kinds) or "none"
        faults = [Fault(at, f"must have exactly one of {names}; it has {found}")]
        return None, faults + _unknown_members(value, at)
    task, faults = checked(_MODELS[kinds[0]], value, at=at)
    if task is None:
        return None, faults
    members = task.model_dump()
    return {kinds[0]: members.pop(kinds[0]), **members}, []


def _unknown_members(value: Mapping[str, Json], at: str) -> list[Fault]:
    known = sorted({name for model in _MODELS.values() for name in model.model_fields})
    strange = [name for name in value if name not in known]
    return [
        Fault(f"{at}/{escaped(name)}", unknown(name, known, hinted=n < MOST_HINTS))
        for n, name in enumerate(strange)
    ]


def _bounded(value: list[Json]) -> list[Json]:
    if len(value) > _MOST_ARGUMENTS:
        raise ValueError(
            f"has {len(value)} arguments; at most {_MOST_ARGUMENTS} are taken"
        )
    size = sum(
        len((each if isinstance(each, str) else json.dumps(each)).encode())
        for each in value
    )
    if size > MOST_COMMAND:
        raise ValueError(f"has {size} bytes; at most {_LONGEST} KiB are taken in all")
    return value


Arguments: TypeAlias = Annotated[
    list[JsonValue],
    AfterValidator(_bounded),
    WithJsonSchema({"type": "array", "items": {}, "maxItems": _MOST_ARGUMENTS}),
]


class TaskOverrides(Body):
    """What a manual run may change of the task."""

    args: Arguments | None = None
    env: Environment | None = None
    stdin: LongText | None = None
