"""Members of the service's answers, read with the type that they must have.

An answer that lacks them is no answer of a Crony service: ``ValueError``, which
names the member.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias, cast

from crony import wire
from crony.model.task import Json, JsonObject

Body: TypeAlias = Mapping[str, Json]


def text(body: Body, name: str) -> str:
    """Return a string."""
    value = body.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no string")
    return value


def optional_text(body: Body, name: str) -> str | None:
    """Return a string or nothing."""
    return None if body.get(name) is None else text(body, name)


def integer(body: Body, name: str) -> int:
    """Return a whole number."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is no integer")
    return value


def number(body: Body, name: str) -> float:
    """Return a number."""
    value = body.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"{name} is no number")
    return float(value)


def duration(body: Body, name: str) -> timedelta:
    """Return a length of time, which may be negative: something is late."""
    written = text(body, name)
    if written.startswith("-"):
        return -wire.parse_duration(written[1:])
    return wire.parse_duration(written)


def optional_duration(body: Body, name: str) -> timedelta | None:
    """Return a length of time, or ``None`` when it is absent or null."""
    return None if body.get(name) is None else duration(body, name)


def size(body: Body, name: str) -> int:
    """Return a number of bytes."""
    return wire.parse_size(text(body, name))


def mapping(body: Body, name: str) -> JsonObject:
    """Return an object."""
    value = body.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")
    return value


def objects(body: Body, name: str) -> Sequence[JsonObject]:
    """Return a list of objects; none when the member is absent."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(i, dict) for i in value):
        raise ValueError(f"{name} is no list of objects")
    return cast(Sequence[JsonObject], value)


def words(body: Body, name: str) -> tuple[str, ...]:
    """Return a list of strings; none when the member is absent or null."""
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(i, str) for i in value):
        raise ValueError(f"{name} is no list of strings")
    return tuple(cast(Sequence[str], value))


def strings(body: Body, name: str) -> dict[str, str]:
    """Return a map of strings; empty when the member is absent or null."""
    value = body.get(name) or {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")
    return {key: text(value, key) for key in value}
