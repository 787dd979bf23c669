"""Read the members of an answer with their types: JSON says nothing of them."""

from __future__ import annotations

from collections.abc import Mapping

from crony.model.task import Json, JsonObject


def text(answer: JsonObject, name: str) -> str:
    """Return a member as text; null and absent are empty."""
    value = answer.get(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def member(answer: JsonObject, name: str) -> JsonObject:
    """Return an object; null and absent are empty."""
    return as_object(answer.get(name))


def members(answer: JsonObject, name: str) -> list[JsonObject]:
    """Return a list of objects; null and absent are empty."""
    value = answer.get(name)
    return [as_object(item) for item in value] if isinstance(value, list) else []


def as_object(value: object) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def words(answer: JsonObject, name: str) -> list[str]:
    """Return a list of texts, or a tuple's; null and absent are empty."""
    value: Json = answer.get(name)
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []
