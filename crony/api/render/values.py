"""Small things that all nouns share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum

from crony import wire
from crony.model.task import Json

Object = dict[str, Json]


def instant(value: datetime | None) -> str | None:
    """Return an instant as the wire has it."""
    return None if value is None else wire.format_instant(value)


def duration(value: timedelta | None) -> str | None:
    """Return a duration in the short form."""
    return None if value is None else wire.format_duration(value)


def plain(value: Enum | None) -> str | None:
    """Return the word of an enum's member."""
    return None if value is None else str(value.value)


def counts(values: Mapping[str, str]) -> Object:
    """Return a map as a plain object."""
    return dict(values)
