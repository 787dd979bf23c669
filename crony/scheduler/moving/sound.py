"""Whether a value that came from outside is what its class says.

A document is read without looking: what stands in the place of a number may be a
text. Here all members are looked at, with what a store takes for granted of them.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
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

#: Returns what is wrong with a value, with pointers from there on.
_Check = Callable[[object], Sequence[Fault]]


class _Json:
    """Stands for the aliases of JSON, which refer to themselves."""


_ALIASES = {"Json": _Json, "JsonObject": _Json}
#: Members that are named in addresses.
_NAMED = frozenset({"tenant", "name", "group", "queue", "profile"})


def faults(value: object, *, at: str = "") -> list[Fault]:
    """Return what is wrong with a value; ``at`` is where it stands."""
    found = _check(type(value))(value)
    # What follows takes for granted that all is of its kind.
    if not found and isinstance(value, MovedSchedule):
        found = tuple(_of_schedule(value))
    if not found and isinstance(value, MovedRun):
        found = tuple(_of_run(value))
    return [Fault(at + fault.pointer, fault.detail) for fault in found[:_MOST]]


def _under(part: object, found: Sequence[Fault]) -> list[Fault]:
    return [Fault(f"/{part}{fault.pointer}", fault.detail) for fault in found]


def _check(hint: object) -> _Check:
    return _made(hint)


@cache
def _made(hint: object) -> _Check:
    """Return the check of a type.

    PERF: an import looks at millions of members. A check is made once for each type,
    and writes down where a value stands only where there is something wrong with it.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is _Json or hint is object:
        return lambda _: ()
    if origin in (types.UnionType, typing.Union):
        return _any_of([_check(argument) for argument in arguments])
    if origin is typing.Literal:
        words = ", ".join(map(str, arguments))
        wrong = (Fault("", f"must be one of {words}"),)
        return lambda value: () if value in arguments else wrong
    if origin in (tuple, frozenset):
        return _many(origin, _check(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _pairs(_check(arguments[0]), _check(arguments[1]))
    if is_dataclass(hint):
        return _members(cast("type", hint))
    return _plain(cast("type", hint))


def _any_of(checks: Sequence[_Check]) -> _Check:
    def check(value: object) -> Sequence[Fault]:
        first: Sequence[Fault] | None = None
        for each in checks:
            found = each(value)
            if not found:
                return ()
            first = first or found
        return first or ()

    return check


def _many(kind: type, item: _Check) -> _Check:
    def check(value: object) -> Sequence[Fault]:
        if not isinstance(value, kind):
            return (Fault("", "must be a list"),)
        return [
            fault
            for number, each in enumerate(cast("tuple[object, ...]", value))
            if (found := item(each))
            for fault in _under(number, found)
        ]

    return check


def _pairs(key: _Check, item: _Check) -> _Check:
    def check(value: object) -> Sequence[Fault]:
        if not isinstance(value, Mapping):
            return (Fault("", "must be an object"),)
        return [
            fault
            for name, each in value.items()
            if (found := (*key(name), *item(each)))
            for fault in _under(name, found)
        ]

    return check


def _members(kind: type) -> _Check:
    hints = typing.get_type_hints(kind, localns=_ALIASES)
    members = [
        (f.name, _check(hints[f.name]), f.name in _NAMED)
        for f in fields(cast("type[MovedRun]", kind))
    ]

    def check(value: object) -> Sequence[Fault]:
        if not isinstance(value, kind):
            return (Fault("", "must be an object"),)
        wrong: list[Fault] = []
        for name, of, named in members:
            held = getattr(value, name)
            found = of(held)
            if found:
                wrong += _under(name, found)
            elif named and isinstance(held, str) and not ids.is_name(held):
                wrong.append(Fault(f"/{name}", f'"{held[:80]}" is not a name'))
        return wrong

    return check


def _plain(kind: type) -> _Check:
    wrong = (Fault("", f"must be {_WORDS.get(kind, 'of another kind')}"),)

    def check(value: object) -> Sequence[Fault]:
        # ``True`` is a number to Python, and a number need not have a point.
        if type(value) is not kind and (
            isinstance(value, bool)
            or not isinstance(value, (kind, int) if kind is float else kind)
        ):
            return wrong
        if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            return (Fault("", "is too large a number"),)
        if isinstance(value, str) and "\0" in value and not isinstance(value, Enum):
            return (Fault("", "must not hold a NUL character"),)
        return ()

    return check


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    bytes: "base64",
    datetime: "an instant",
    types.NoneType: "null",
}


def _of_schedule(value: MovedSchedule) -> Iterator[Fault]:
    if not _is_id(value.id, ids.SCHEDULE):
        yield Fault("/id", "is not the id of a schedule")
    if value.limit < 0:
        yield Fault("/limit", "must not be below 0")
    needed = {version.revision for version in value.versions}
    if value.schedule is not None:
        needed.add(value.schedule.revision)
        if (value.schedule.id, value.schedule.tenant) != (value.id, value.tenant):
            yield Fault("/schedule", "is another schedule")
    if needed - value.definitions.keys():
        missing = ", ".join(map(str, sorted(needed - value.definitions.keys())))
        yield Fault("/definitions", f"lacks the revisions {missing}")
    if any(version.schedule != value.id for version in value.versions):
        yield Fault("/versions", "are of another schedule")


def _of_run(value: MovedRun) -> Iterator[Fault]:
    run = value.run
    if not _is_id(run.id, ids.RUN):
        yield Fault("/run/id", "is not the id of a run")
    if not _is_id(run.schedule, ids.SCHEDULE):
        yield Fault("/run/schedule", "is not the id of a schedule")
    tokens = [attempt.token for attempt in run.attempts]
    if tokens != sorted(set(tokens)) or any(t > run.token for t in tokens):
        yield Fault("/run/attempts", "must have tokens that grow up to the run's")
    if (value.output.keys() | value.says.keys()) - set(tokens):
        yield Fault("/output", "is of attempts that are not there")
    for number, owed in enumerate(value.follow_ups):
        if (owed.run, owed.schedule, owed.tenant) != (
            run.id,
            run.schedule,
            run.tenant,
        ):
            yield Fault(f"/follow_ups/{number}", "is of another run")


def _is_id(text: str, prefix: str) -> bool:
    return text.startswith(prefix) and ids.looks_like_id(text)
