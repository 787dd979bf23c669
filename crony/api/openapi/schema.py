"""What the schemas of answers are made of."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from crony.api.bodies.fields import NAME_PATTERN
from crony.model.task import Json

Schema = dict[str, Json]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
ANY: Schema = {}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}
MAP: Schema = {"type": "object", "additionalProperties": TEXT}
INSTANT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    "examples": ["2026-11-20T22:00:00.000Z"],
}
DURATION: Schema = {
    "type": "string",
    "pattern": r"^-?(\d+(\.\d+)?(d|h|m|s))+$",
    "examples": ["1h30m"],
}
NAME: Schema = {"type": "string", "pattern": NAME_PATTERN}


def identity(prefix: str) -> Schema:
    """Return an id's schema."""
    return {"type": "string", "pattern": f"^{prefix}_[0-9A-HJKMNP-TV-Z]{{26}}$"}


def ref(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """Return the schema, or ``null``."""
    return {"anyOf": [schema, {"type": "null"}]}


def words(kind: Iterable[StrEnum]) -> Schema:
    """Return the words of an enum, or some of them."""
    return {"type": "string", "enum": [member.value for member in kind]}


def array(items: Schema) -> Schema:
    """Return a list's schema."""
    return {"type": "array", "items": items}


def members(**properties: Schema) -> Schema:
    """Return an object with exactly these members."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def with_members(schema: Schema, **properties: Schema) -> Schema:
    """Return an object's schema with more members."""
    known = schema["properties"]
    if not isinstance(known, dict):
        raise TypeError("not the schema of an object")
    return members(**known, **properties)


def page(item: str) -> Schema:
    """Return the schema of one page of a list."""
    return members(items=array(ref(item)), next=nullable(TEXT))
