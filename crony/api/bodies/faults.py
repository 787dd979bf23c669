"""The faults that pydantic finds, with JSON pointers and in Crony's own words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from crony.errors import Fault
from crony.model.task import Json

B = TypeVar("B", bound=BaseModel)

#: Two threads must not build a model at once.
_building = threading.Lock()

#: How many unknown members get a hint: each costs a comparison with every known name,
#: and a body of 1 MiB has room for 100,000 of them.
MOST_HINTS = 32

_PHRASES = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "none_required": "must be null",
}


def checked(
    model: type[B], value: Json, *, at: str = ""
) -> tuple[B | None, list[Fault]]:
    """Return the value as a model, or every fault it has; ``at`` is its pointer."""
    if not model.__pydantic_complete__:
        with _building:
            model.model_rebuild()
    try:
        return model.model_validate(value), []
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=True)
    strange = [error for error in found if error["type"] == "extra_forbidden"]
    hinted = {id(error) for error in strange[:MOST_HINTS]}
    return None, distinct(
        _fault(model, value, error, at, hinted=id(error) in hinted) for error in found
    )


def distinct(faults: Iterator[Fault] | Sequence[Fault]) -> list[Fault]:
    """Return each pointer's faults once: a union names one place several times."""
    seen: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        seen.setdefault((fault.pointer, fault.detail), fault)
    return list(seen.values())


def escaped(name: str) -> str:
    """Return a member's name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def unknown(name: str, known: Sequence[str], *, hinted: bool = True) -> str:
    """Say that a member is unknown, with the nearest one that is known."""
    if not hinted:
        return "unknown field"
    close = get_close_matches(name[:128], known, n=1)
    return f'unknown field; did you mean "{close[0]}"?' if close else "unknown field"


def _fault(
    model: type[BaseModel], value: Json, error: ErrorDetails, at: str, *, hinted: bool
) -> Fault:
    pointer, owner = _walk(model, value, error["loc"], error["type"])
    return Fault(at + pointer, _detail(error, owner, hinted=hinted))


def _walk(
    model: type[BaseModel], value: Json, loc: Sequence[int | str], kind: str
) -> tuple[str, type[BaseModel] | None]:
    """Follow ``loc`` through the body itself.

    pydantic's ``loc`` also names branches of unions and validators, which are no
    part of the body; walking the body leaves them out.
    """
    pointer = ""
    owner: type[BaseModel] | None = model
    for position, step in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(value, Mapping) and isinstance(step, str):
            if step not in value and not (last and kind == "missing"):
                continue
            pointer += "/" + escaped(step)
            value = value.get(step)
            if not (last and kind == "extra_forbidden"):
                owner = _model_of(owner, step)
        elif isinstance(value, Sequence) and isinstance(step, int):
            pointer += f"/{step}"
            value = value[step]
    return pointer, owner


def _model_of(owner: type[BaseModel] | None, name: str) -> type[BaseModel] | None:
    """Return the model of an owner's member, where it has exactly one."""
    if owner is None or name not in owner.model_fields:
        return None
    return next(_models_in(owner.model_fields[name].annotation), None)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


def _detail(error: ErrorDetails, owner: type[BaseModel] | None, *, hinted: bool) -> str:
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        fields = owner.model_fields if owner else {}
        known = [field.alias or name for name, field in fields.items()]
        return unknown(str(error["loc"][-1]), known, hinted=hinted)
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    phrase = _PHRASES.get(kind) or _bounds(kind, context)
    return f"{phrase}{_quoted(error)}" if phrase else error["msg"]


def _bounds(kind: str, context: Mapping[str, object]) -> str | None:
    match kind:
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "greater_than":
            return f"must be above {context['gt']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "literal_error":
            return f"must be {context['expected']}".replace("'", '"')
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "string_too_short":
            return f"must have at least {context['min_length']} characters"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}"
        case "too_long":
            return f"must have at most {context['max_length']} items"
        case "too_short":
            return f"must have at least {context['min_length']} items"
    return None


def _quoted(error: ErrorDetails) -> str:
    """Return the value, where it is short and plain."""
    value = error["input"]
    if error["type"] == "missing" or isinstance(value, list | dict):
        return ""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f", not {text}" if len(text) <= 60 else ""
