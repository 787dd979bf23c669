"""Whether a value that came from outside is what its class says.

A document is read without looking: what stands in the place of a number may be a
text. Here all members are looked at, with what a store takes for granted of them.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import cast

from crony.errors import Fault
from crony.model import ids
from crony.model.moving import MovedRun, MovedSchedule

#: So many faults of a record are named.
_MOST = 20
#: What a database's whole numbers hold.
_LARGEST = 2**63 - 1


class _Json:
    """Stands for the aliases of JSON, which refer to themselves."""


_ALIASES = {"Json": _Json, "JsonObject": _Json}
#: Members that are named in addresses.
_NAMED = frozenset({"tenant", "name", "group", "queue", "profile"})


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a class: its name, and what it may be."""

    name: str
    hint: object


def faults(value: object, *, at: str = "") -> list[Fault]:
    """Return what is wrong with a value; ``at`` is where it stands."""
    found = []
    for fault in _of_record(value, at):
        found.append(fault)
        if len(found) == _MOST:
            break
    return found


def _of_record(value: object, at: str) -> Iterator[Fault]:
    wrong = False
    for fault in _of_members(value, at):
        wrong = True
        yield fault
    # What follows takes for granted that all is of its kind.
    if not wrong and isinstance(value, MovedSchedule):
        yield from _of_schedule(value, at)
    if not wrong and isinstance(value, MovedRun):
        yield from _of_run(value, at)


@cache
def _members(kind: Hashable) -> tuple[_Member, ...]:
    hints = typing.get_type_hints(kind, localns=_ALIASES)
    members = fields(cast("type[MovedRun]", kind))
    return tuple(_Member(f.name, hints[f.name]) for f in members)


def _of_members(value: object, at: str) -> Iterator[Fault]:
    for member in _members(cast("Hashable", type(value))):
        held = getattr(value, member.name)
        where = f"{at}/{member.name}"
        yield from _of(held, member.hint, where)
        if member.name in _NAMED and isinstance(held, str) and not ids.is_name(held):
            yield Fault(where, f'"{held[:80]}" is not a name')


def _of(value: object, hint: object, at: str) -> Iterator[Fault]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is _Json or hint is object:
        return
    if origin in (types.UnionType, typing.Union):
        yield from _of_union(value, arguments, at)
    elif origin is typing.Literal:
        if value not in arguments:
            yield Fault(at, f"must be one of {', '.join(map(str, arguments))}")
    elif origin in (tuple, frozenset):
        yield from _of_many(value, origin, arguments[0], at)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _of_mapping(value, arguments, at)
    elif isinstance(hint, type):
        yield from _of_class(value, hint, at)


def _of_union(value: object, arguments: tuple[object, ...], at: str) -> Iterator[Fault]:
    tried = [list(_of(value, argument, at)) for argument in arguments]
    if all(tried):
        yield tried[0][0]


def _of_many(value: object, kind: type, hint: object, at: str) -> Iterator[Fault]:
    if not isinstance(value, kind):
        yield Fault(at, "must be a list")
        return
    for number, item in enumerate(cast("tuple[object, ...]", value)):
        yield from _of(item, hint, f"{at}/{number}")


def _of_mapping(
    value: object, arguments: tuple[object, ...], at: str
) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(at, "must be an object")
        return
    for key, item in value.items():
        yield from _of(key, arguments[0], at)
        yield from _of(item, arguments[1], f"{at}/{key}")


def _of_class(value: object, hint: type, at: str) -> Iterator[Fault]:
    # ``True`` is a number to Python.
    if hint in (int, float) and isinstance(value, bool):
        yield Fault(at, "must be a number")
    elif hint is float and isinstance(value, int):
        return
    elif not isinstance(value, hint):
        yield Fault(at, f"must be {_WORDS.get(hint, 'of another kind')}")
    elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        yield Fault(at, "is too large a number")
    elif isinstance(value, str) and "\0" in value and not isinstance(value, Enum):
        yield Fault(at, "must not hold a NUL character")
    elif is_dataclass(hint):
        yield from _of_members(value, at)


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    bytes: "base64",
    datetime: "an instant",
}


def _of_schedule(value: MovedSchedule, at: str) -> Iterator[Fault]:
    if not _is_id(value.id, ids.SCHEDULE):
        yield Fault(f"{at}/id", "is not the id of a schedule")
    if value.limit < 0:
        yield Fault(f"{at}/limit", "must not be below 0")
    needed = {version.revision for version in value.versions}
    if value.schedule is not None:
        needed.add(value.schedule.revision)
        if (value.schedule.id, value.schedule.tenant) != (value.id, value.tenant):
            yield Fault(f"{at}/schedule", "is another schedule")
    if needed - value.definitions.keys():
        missing = ", ".join(map(str, sorted(needed - value.definitions.keys())))
        yield Fault(f"{at}/definitions", f"lacks the revisions {missing}")
    if any(version.schedule != value.id for version in value.versions):
        yield Fault(f"{at}/versions", "are of another schedule")


def _of_run(value: MovedRun, at: str) -> Iterator[Fault]:
    run = value.run
    if not _is_id(run.id, ids.RUN):
        yield Fault(f"{at}/run/id", "is not the id of a run")
    if not _is_id(run.schedule, ids.SCHEDULE):
        yield Fault(f"{at}/run/schedule", "is not the id of a schedule")
    tokens = [attempt.token for attempt in run.attempts]
    if tokens != sorted(set(tokens)) or any(t > run.token for t in tokens):
        yield Fault(f"{at}/run/attempts", "must have tokens that grow up to the run's")
    if (value.output.keys() | value.says.keys()) - set(tokens):
        yield Fault(f"{at}/output", "is of attempts that are not there")
    for number, owed in enumerate(value.follow_ups):
        if (owed.run, owed.schedule, owed.tenant) != (
            run.id,
            run.schedule,
            run.tenant,
        ):
            yield Fault(f"{at}/follow_ups/{number}", "is of another run")


def _is_id(text: str, prefix: str) -> bool:
    return text.startswith(prefix) and ids.looks_like_id(text)
