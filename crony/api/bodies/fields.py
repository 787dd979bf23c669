"""The kinds of values in bodies, each with its check and its JSON Schema.

Texts of faults quote the value and say what would be right; ``crony.api.bodies.faults``
gives them their pointers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from crony import wire
from crony.model import ids

NAME_PATTERN = rf"^(?!{ids.SHAPE}$)[a-z0-9][a-z0-9._-]{{0,127}}$"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}", re.ASCII)
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
DURATION_PATTERN = (
    r"^((\d+(\.\d+)?(d|h|ms|m|s))+|P(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)$"
)
SIZE_PATTERN = r"^\d+(\.\d+)?[KMGT]?(i?B)?$"

MOST_LABELS = 32
MOST_ENV = 64 << 10
MOST_TEXT = 256 << 10


class Body(BaseModel):
    """A body, or an object in one: strict, and without unknown members."""

    # PERF: each is built when it is first checked; to build all takes a quarter of the
    # service's start.
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, defer_build=True
    )


def _whole(value: object) -> object:
    # JSON knows one kind of number: 5.0 is the integer 5.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


#: Goes after the bounds of an ``int``, so that the schema keeps them.
WHOLE = BeforeValidator(_whole)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a text must look like; whoever misses it is shown one that does."""

    pattern: str
    #: What such a text is, for a fault: ``a status``.
    what: str
    example: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check after the text's own bounds."""
        return core_schema.no_info_after_validator_function(
            self._checked, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the pattern and the example to the schema."""
        return {
            **handler(schema),
            "pattern": f"^{self.pattern}$",
            "examples": [self.example],
        }

    def _checked(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(
                f"{json.dumps(text[:80], ensure_ascii=False)} is not {self.what}, "
                f"such as {json.dumps(self.example)}"
            )
        return text


def _text_of(value: object, *, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be {what}")
    return value


def _duration(least: timedelta, most: timedelta) -> Callable[[object], timedelta]:
    def check(value: object) -> timedelta:
        duration = wire.parse_duration(
            _text_of(value, what='a duration such as "90s", "1h30m" or "PT15M"')
        )
        if not least <= duration <= most:
            bounds = f"{wire.format_duration(least)}..{wire.format_duration(most)}"
            raise ValueError(f'"{value}" is out of {bounds}')
        return duration

    return check


_DURATION_SCHEMA: dict[str, object] = {
    "type": "string",
    "format": "crony-duration",
    "pattern": DURATION_PATTERN,
    "maxLength": 200,
    "examples": ["1h30m"],
}
_MOMENT = timedelta(milliseconds=1)

Duration: TypeAlias = Annotated[
    timedelta,
    PlainValidator(_duration(timedelta(0), wire.LONGEST)),
    WithJsonSchema(_DURATION_SCHEMA),
]
#: One whose default is none at all, which schemas show as it is written.
DurationOrNone: TypeAlias = Annotated[
    Duration, Field(json_schema_extra={"default": "0s"})
]
PositiveDuration: TypeAlias = Annotated[
    timedelta,
    PlainValidator(_duration(_MOMENT, wire.LONGEST)),
    WithJsonSchema({**_DURATION_SCHEMA, "description": "At least 1ms."}),
]
#: Between two runs of a progress hook.
Interval: TypeAlias = Annotated[
    timedelta,
    PlainValidator(_duration(timedelta(seconds=1), wire.LONGEST)),
    WithJsonSchema({**_DURATION_SCHEMA, "description": "At least 1s."}),
]
#: How long a poll may wait.
Wait: TypeAlias = Annotated[
    timedelta,
    PlainValidator(_duration(timedelta(0), timedelta(seconds=60))),
    WithJsonSchema({**_DURATION_SCHEMA, "description": "0s..60s."}),
]


def _signed(value: object) -> timedelta:
    text = _text_of(value, what='a duration such as "0.180s" or "-2ms"')
    return (
        -wire.parse_duration(text[1:]) if text[:1] == "-" else wire.parse_duration(text)
    )


#: A difference of two instants, which may be negative.
Difference: TypeAlias = Annotated[
    timedelta,
    PlainValidator(_signed),
    WithJsonSchema(
        {
            "type": "string",
            "format": "crony-duration",
            "pattern": "^-?" + DURATION_PATTERN[1:],
            "maxLength": 200,
            "examples": ["0.0012s"],
        }
    ),
]


#: Arithmetic around an instant must stay within the calendar.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


def instant_of(text: str) -> datetime:
    """Return an instant that can be worked with; raises ``ValueError``."""
    instant = wire.parse_instant(text)
    if not _FIRST <= instant < _LAST:
        raise ValueError(f'"{text}" is out of the years 1970..9998')
    return instant


def _instant(value: object) -> datetime:
    return instant_of(
        _text_of(value, what='an RFC 3339 instant such as "2026-11-20T22:00:00Z"')
    )


Instant: TypeAlias = Annotated[
    datetime,
    PlainValidator(_instant),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "maxLength": 64,
            "examples": ["2026-11-20T22:00:00.000Z"],
        }
    ),
]


def _name(value: object) -> str:
    text = _text_of(value, what="a name")
    if _NAME.fullmatch(text) is None:
        raise ValueError(
            f'"{text[:80]}" is not a name: 1 to 128 of a-z, 0-9, ".", "_", "-", the '
            "first of them a letter or digit"
        )
    if ids.looks_like_id(text):
        raise ValueError(f'"{text}" would be taken for an id')
    return text


#: Whether a text may be a name.
is_name = ids.is_name


Name: TypeAlias = Annotated[
    str,
    PlainValidator(_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "maxLength": 128}),
]


def _size(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        size = wire.parse_size(_text_of(value, what='a size such as "512M"'))
        if not least <= size <= most:
            bounds = f"{wire.format_size(least)}..{wire.format_size(most)}"
            raise ValueError(f'"{value}" is out of {bounds}')
        return size

    return check


_SIZE_SCHEMA: dict[str, object] = {
    "type": "string",
    "format": "crony-size",
    "pattern": SIZE_PATTERN,
    "maxLength": 24,
    "examples": ["512M"],
}
Size: TypeAlias = Annotated[
    int, PlainValidator(_size(1, 1 << 50)), WithJsonSchema(_SIZE_SCHEMA)
]
#: Of the output that is kept of an attempt.
LogSize: TypeAlias = Annotated[
    int,
    PlainValidator(_size(1 << 10, 64 << 20)),
    WithJsonSchema({**_SIZE_SCHEMA, "description": "1K..64M.", "examples": ["1M"]}),
]


def _strings(value: object, *, what: str) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"must be an object of strings: {what}")
    for key, text in value.items():
        if not isinstance(text, str):
            raise ValueError(f'"{key[:80]}" must be a string')
    return value


def _labels(value: object) -> Mapping[str, str]:
    labels = _strings(value, what='such as {"team": "data"}')
    if len(labels) > MOST_LABELS:
        raise ValueError(f"{len(labels)} labels are more than {MOST_LABELS}")
    for key, text in labels.items():
        if _LABEL_KEY.fullmatch(key) is None:
            raise ValueError(
                f'"{key[:80]}" is not a label: 1 to 128 letters, digits, ".", "_", '
                '"/", "-", the first of them a letter or digit'
            )
        if len(text) > 128:
            raise ValueError(f'the value of "{key}" is longer than 128 characters')
    return labels


Labels: TypeAlias = Annotated[
    Mapping[str, str],
    PlainValidator(_labels),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MOST_LABELS,
            "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"},
            "additionalProperties": {"type": "string", "maxLength": 128},
            "examples": [{"team": "data"}],
        }
    ),
]


def _environment(value: object) -> Mapping[str, str]:
    env = _strings(value, what='such as {"LEVEL": "info"}')
    size = 0
    for key, text in env.items():
        if _VARIABLE.fullmatch(key) is None:
            raise ValueError(f'"{key[:80]}" is not the name of a variable')
        if key.startswith("CRONY_"):
            raise ValueError(f'"{key}": variables of CRONY_ are set by the worker')
        size += len(key) + len(text.encode()) + 2
    if size > MOST_ENV:
        raise ValueError("the variables are more than 64 KiB in all")
    return env


Environment: TypeAlias = Annotated[
    Mapping[str, str],
    PlainValidator(_environment),
    WithJsonSchema(
        {
            "type": "object",
            "description": "At most 64 KiB in all; no name begins with CRONY_.",
            "propertyNames": {"pattern": "^(?!CRONY_)[A-Za-z_][A-Za-z0-9_]{0,127}$"},
            "additionalProperties": {"type": "string"},
            "examples": [{"LEVEL": "info"}],
        }
    ),
]


def _long_text(value: object) -> str:
    text = _text_of(value, what="a string")
    if len(text.encode()) > MOST_TEXT:
        raise ValueError("is longer than 256 KiB")
    return text


LongText: TypeAlias = Annotated[
    str,
    PlainValidator(_long_text),
    WithJsonSchema({"type": "string", "description": "At most 256 KiB."}),
]
Text: TypeAlias = Annotated[str, Field(max_length=4096)]
Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]


def _json(value: object) -> object:
    return value


#: Any JSON value: the parser has bounded it.
JsonValue: TypeAlias = Annotated[object, PlainValidator(_json), WithJsonSchema({})]
