"""Values as plain documents, for stores that keep documents and for files that move.

A dataclass becomes a dict of its members by name. Instants are milliseconds,
durations microseconds, words of an enum their text, tuples and sets lists (sets in
order). What people write (tasks, labels, results: any mapping, any JSON) is JSON
text, since its keys are theirs; so are policies and definitions, of which many are
equal. Bytes stay bytes.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import TypeVar, cast

from crony.model.policy import Policy, PolicySettings, RetentionSettings
from crony.model.schedule import Definition
from crony.model.task import Json
from crony.storage import codec

__all__ = ["Document", "document_in", "document_out"]

#: Numbers, text, bytes, ``None``, lists and documents.
Document = dict[str, object]

_Value = TypeVar("_Value")
_Way = Callable[[object], object]
#: How a value goes out, and how it comes in.
_Ways = tuple[_Way, _Way]


def document_out(value: object) -> Document:
    """Return the document of a dataclass's value."""
    members = _members(cast("Hashable", type(value)))
    return {name: out(getattr(value, name)) for name, out, _ in members}


def document_in(kind: type[_Value], document: Mapping[str, object]) -> _Value:
    """Return the value of ``document_out``'s document.

    Members that the class does not know are left out, and those that are missing have
    their defaults, so that documents of another release can be read.
    """
    return kind(
        **{
            name: into(document[name])
            for name, _, into in _members(cast("Hashable", kind))
            if name in document
        }
    )


class _Json:
    """Stands for the aliases of JSON, which refer to themselves."""


_ALIASES = {"Json": _Json, "JsonObject": _Json}


@cache
def _members(kind: Hashable) -> tuple[tuple[str, _Way, _Way], ...]:
    """Return the members of a dataclass, with the ways out and in of each."""
    hints = typing.get_type_hints(kind, localns=_ALIASES)
    members = fields(cast("type[Policy]", kind))
    return tuple((f.name, *_ways(hints[f.name])) for f in members)


def _ways(hint: object) -> _Ways:
    known = _KNOWN.get(hint) if isinstance(hint, type) else None
    if known is not None:
        return known
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        others = [a for a in arguments if a is not types.NoneType]
        if len(others) == 1:
            return _maybe(_ways(others[0]))
        return _SAME
    if origin in (tuple, frozenset):
        return _many(origin, _ways(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _JSON if arguments[0] is str else _pairs(*map(_ways, arguments))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _text, hint
    if isinstance(hint, type) and is_dataclass(hint):
        return document_out, lambda kept: document_in(hint, cast("Document", kept))
    return _SAME


def _text(word: object) -> object:
    return cast("Enum", word).value


def _maybe(ways: _Ways) -> _Ways:
    out, into = ways
    if ways is _SAME:
        return ways
    return (
        lambda value: None if value is None else out(value),
        lambda kept: None if kept is None else into(kept),
    )


def _many(origin: type, ways: _Ways) -> _Ways:
    out, into = ways

    def items_out(items: object) -> object:
        listed = [out(item) for item in cast("tuple[object, ...]", items)]
        return listed if origin is tuple else sorted(cast("list[str]", listed))

    def items_in(kept: object) -> object:
        return origin(into(item) for item in cast("list[object]", kept))

    return items_out, items_in


def _pairs(keys: _Ways, values: _Ways) -> _Ways:
    """Return the ways of a mapping by numbers or words: documents have text keys."""

    def pairs_out(mapping: object) -> object:
        items = cast("Mapping[object, object]", mapping).items()
        return [[keys[0](key), values[0](value)] for key, value in items]

    def pairs_in(kept: object) -> object:
        items = cast("list[tuple[object, object]]", kept)
        return {keys[1](key): values[1](value) for key, value in items}

    return pairs_out, pairs_in


def _json_out(value: object) -> object:
    return None if value is None else codec.dumps(cast("Json", value))


def _json_in(kept: object) -> object:
    return None if kept is None else codec.loads(cast("str", kept))


_SAME: _Ways = (lambda value: value, lambda kept: kept)
_JSON: _Ways = (_json_out, _json_in)

_KNOWN: dict[type, _Ways] = {
    _Json: _JSON,
    datetime: (
        cast("_Way", codec.instant_out),
        cast("_Way", codec.instant_in),
    ),
    timedelta: (
        cast("_Way", codec.duration_out),
        cast("_Way", codec.duration_in),
    ),
    Policy: (cast("_Way", codec.policy_out), cast("_Way", codec.policy_in)),
    PolicySettings: (cast("_Way", codec.settings_out), cast("_Way", codec.settings_in)),
    RetentionSettings: (
        cast("_Way", codec.retention_out),
        cast("_Way", codec.retention_in),
    ),
    Definition: (
        cast("_Way", codec.definition_out),
        cast("_Way", codec.definition_in),
    ),
}
