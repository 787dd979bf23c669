"""From the bytes of a body to JSON, with everything refused that JSON leaves open."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic_core import from_json

from crony import errors
from crony.api.bodies.faults import escaped
from crony.errors import Fault
from crony.model.task import Json

#: What a body must hold before it can hold a NUL or a number that overflows.
_SUSPICIOUS = re.compile(rb"\\u0000|\d[eE]|\d{19}")
_INT64 = range(-(1 << 63), 1 << 63)


def parse(raw: bytes) -> Json:
    """Return the JSON value of a body; raises for all that JSON leaves open."""
    value, faults = parse_with_faults(raw)
    if faults:
        raise errors.InvalidBody(faults)
    return value


def parse_with_faults(raw: bytes) -> tuple[Json, list[Fault]]:
    """Return the JSON value of a body, and the places that can't be used.

    pydantic's parser bounds nesting and refuses NaN, lone surrogates and bytes that
    are not UTF-8; the rest is looked at here: a name that comes twice, NUL, and
    numbers beyond 64 bits.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as exc:
        # The parser's text names what it met and where, and quotes nothing.
        raise errors.MalformedBody(f"the body is not JSON: {exc}") from exc
    # The depth is known to be small by now, so this parser can't overflow.
    json.loads(raw, object_pairs_hook=_once)
    faults: list[Fault] = []
    if _SUSPICIOUS.search(raw):
        _look_through(value, "", faults)
    return cast(Json, value), faults


def _once(pairs: Sequence[tuple[str, object]]) -> None:
    """Refuse an object that has a name twice: readers differ in which they take."""
    if len(pairs) > 1 and len({name for name, _ in pairs}) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise errors.MalformedBody(f'an object has the name "{twice[:80]}" twice')


def _look_through(value: object, pointer: str, faults: list[Fault]) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if "\0" in name:
                faults.append(Fault(pointer, "has a name that holds a NUL character"))
            _look_through(item, f"{pointer}/{escaped(name)}", faults)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _look_through(item, f"{pointer}/{position}", faults)
    elif (detail := _scalar_fault(value)) is not None:
        faults.append(Fault(pointer, detail))


def _scalar_fault(value: object) -> str | None:
    match value:
        case str() if "\0" in value:
            return "must not hold a NUL character"
        case float() if not math.isfinite(value):
            return "is beyond the numbers of 64 bits"
        case int() if value not in _INT64:
            return "is beyond the integers of 64 bits"
    return None


def an_object(value: Json) -> Mapping[str, Json]:
    """Return a body that must be an object."""
    if not isinstance(value, Mapping):
        raise errors.InvalidBody([Fault("", "must be an object")])
    return value
