"""Values as MessagePack, on their way to Lua and back.

Lua knows no ``None`` in a table, and no difference between an empty list and an empty
mapping. Text and bytes are one to it: what is not UTF-8 comes as text with surrogates,
of which ``raw`` makes bytes again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeVar, cast

import msgpack  # type: ignore[import-untyped]  # it has none

from crony.storage.documents import Document, document_in

_Value = TypeVar("_Value")
_SURROGATES = "surrogateescape"


def packed(value: object) -> bytes:
    """Return a value as Lua reads it."""
    return cast(
        "bytes",
        msgpack.packb(value, use_bin_type=False, unicode_errors=_SURROGATES),
    )


def unpacked(kept: bytes) -> Any:
    """Return the value of ``packed``'s bytes, or of what Lua packed."""
    return msgpack.unpackb(kept, unicode_errors=_SURROGATES, strict_map_key=False)


def raw(text: str) -> bytes:
    """Return the bytes that came as text."""
    return text.encode(errors=_SURROGATES)


def value_in(kind: type[_Value], kept: Mapping[str, object]) -> _Value:
    """Return the value of a document that was through Lua, which drops ``None``."""
    return document_in(kind, {**_nothing(cast("Hashable", kind)), **kept})


@cache
def _nothing(kind: Hashable) -> Document:
    """Return the members of a class that may be missing: all without a default."""
    return {
        f.name: None
        for f in fields(cast("type[Any]", kind))
        if f.default is MISSING and f.default_factory is MISSING
    }
