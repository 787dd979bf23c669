"""Instants for people: in words, and on this machine's clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from crony import wire

_UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


_LOCAL = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", re.ASCII)


class Instant(click.ParamType[str]):
    """An instant that has been or is to come, as the service reads it.

    Without a zone it is on this machine's clock: as what is printed here.
    """

    name = "instant"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return RFC 3339; other texts are left for the service to judge."""
        if value == "now":
            return wire.format_instant(datetime.now(UTC))
        if _LOCAL.fullmatch(value) is None:
            return value
        try:
            return wire.format_instant(datetime.fromisoformat(value).astimezone())
        except (ValueError, OverflowError):
            return self.fail(f'"{value}" is no instant of the calendar', param, ctx)


#: Of options that look back or ahead; those of a schedule are its own.
INSTANT = Instant()


def local(text: str) -> str:
    """Return an instant of the wire as local time, with day and zone."""
    instant = wire.parse_instant(text).astimezone()
    return f"{instant:%a %Y-%m-%d %H:%M:%S %Z}"


def time_of_day(text: str) -> str:
    """Return the local time of day alone."""
    return f"{wire.parse_instant(text).astimezone():%H:%M:%S}"


def relative(text: str, now: datetime | None = None) -> str:
    """Return how far an instant is: ``in 4m 12s``, ``3d 2h ago``, ``now``."""
    ahead = wire.parse_instant(text) - (now or datetime.now(UTC))
    length = abs(ahead)
    if length < timedelta(seconds=1):
        return "now"
    return f"in {_rough(length)}" if ahead > timedelta() else f"{_rough(length)} ago"


def brief(text: str) -> str:
    """Return a duration of the wire with no more digits than people read."""
    if text.startswith("-"):
        return "-" + brief(text[1:])
    length = wire.parse_duration(text)
    if length < timedelta(seconds=1):
        milliseconds = length / timedelta(milliseconds=1)
        digits = ".0f" if milliseconds >= 100 else ".3g"
        return f"{milliseconds:{digits}}ms"
    if length < timedelta(minutes=1):
        return f"{length.total_seconds():.3g}s"
    return _rough(length)


def _rough(length: timedelta) -> str:
    """Return the two largest units: nobody plans days by the second."""
    parts: list[str] = []
    for unit, size in _UNITS:
        count, length = divmod(length, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    return " ".join(part for part in parts[:2] if part[0] != "0")
