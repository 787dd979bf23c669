"""How values look in JSON, on the command line and in settings.

Instants are RFC 3339, out always UTC with milliseconds. Durations are strings
such as ``"1h30m"``, or ISO 8601. Sizes are bytes with a binary unit: ``"512M"``.
Every function here raises ``ValueError`` with a text that quotes the value and
says what would be right.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
    r"([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_PART = re.compile(r"(\d+(?:\.\d+)?)(d|h|ms|m|s)", re.ASCII)
_SHORT = re.compile(r"(?:\d+(?:\.\d+)?(?:d|h|ms|m|s))+", re.ASCII)
_ISO = re.compile(
    r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", re.ASCII)

#: In microseconds.
_UNITS = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
}
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

#: Longer than anybody's schedule, and far from the limits of ``timedelta``.
LONGEST = timedelta(days=366 * 100)


def parse_instant(text: str) -> datetime:
    """Return the instant of an RFC 3339 text, in UTC.

    Finer than a millisecond is refused, so that what is read can be written.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(
            f'"{_clip(text)}" is not an RFC 3339 instant such as "2026-11-20T22:00:00Z"'
        )
    fraction = match[7] or ""
    if fraction[3:].strip("0"):
        raise ValueError(f'"{_clip(text)}" is finer than a millisecond')
    try:
        zone = "+00:00" if match[8] in "Zz" else match[8]
        whole = datetime.fromisoformat(
            f"{match[1]}-{match[2]}-{match[3]}T{match[4]}:{match[5]}:{match[6]}{zone}"
        ).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError(f'"{_clip(text)}" is no instant of the calendar') from exc
    return whole + timedelta(milliseconds=int(fraction[:3].ljust(3, "0")))


def format_instant(instant: datetime) -> str:
    """Return the instant in UTC with milliseconds, cut and not rounded."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_duration(text: str) -> timedelta:
    """Return the length of time of ``"1h30m"`` or of ISO 8601 ``"PT1H30M"``."""
    total = _short_duration(text) if _SHORT.fullmatch(text) else _iso_duration(text)
    if total is None:
        raise ValueError(
            f'"{_clip(text)}" is not a duration such as "90s", "1h30m" or "PT15M"'
        )
    if total > LONGEST // timedelta(microseconds=1):
        raise ValueError(f'"{_clip(text)}" is longer than a hundred years')
    return timedelta(microseconds=total)


def _short_duration(text: str) -> int:
    return sum(_scaled(number, _UNITS[unit]) for number, unit in _PART.findall(text))


def _iso_duration(text: str) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None or text[-1] in "PT":
        return None
    weeks, days, hours, minutes, seconds = match.groups(default="0")
    return (
        (int(weeks[:9]) * 7 + int(days[:9])) * _UNITS["d"]
        + int(hours[:9]) * _UNITS["h"]
        + int(minutes[:9]) * _UNITS["m"]
        + _scaled(seconds, _UNITS["s"])
    )


def _scaled(number: str, unit: int) -> int:
    """Return number × unit in whole microseconds, without binary fractions."""
    whole, _, fraction = number.partition(".")
    # Twelve digits are beyond LONGEST in every unit; more would only cost time.
    if len(whole.lstrip("0")) > 18:
        return int(_UNITS["d"]) * 10**9
    digits = fraction[:9]
    part = int(digits) * unit // 10 ** len(digits) if digits else 0
    return int(whole) * unit + part


def format_duration(duration: timedelta) -> str:
    """Return the short form, largest units first: ``"1h30m"``, ``"1.250s"``."""
    left = duration // timedelta(microseconds=1)
    sign, left = ("-", -left) if left < 0 else ("", left)
    text = ""
    for unit in ("d", "h", "m"):
        count, left = divmod(left, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    if left or not text:
        text += _seconds(left)
    return sign + text


def _seconds(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, 1_000_000)
    if not fraction:
        return f"{seconds}s"
    digits = f"{fraction:06d}"
    # Milliseconds read best as three digits; finer values keep what they need.
    return f"{seconds}.{digits[:3]}{digits[3:].rstrip('0')}s"


def parse_size(text: str) -> int:
    """Return the bytes of ``"512M"``, ``"1MiB"`` or ``"4096"``."""
    match = _SIZE.fullmatch(text)
    if match is None or len(match[1]) > 18:
        raise ValueError(f'"{_clip(text)}" is not a size such as "256M" or "1MiB"')
    return _scaled(match[1], _SIZES[match[2]])


def format_size(size: int) -> str:
    """Return the size in the largest unit that divides it: ``"512M"``."""
    for unit in ("T", "G", "M", "K"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit}"
    return str(size)


def _clip(text: str) -> str:
    """Return the text short enough to quote."""
    return text if len(text) <= 80 else text[:77] + "..."
