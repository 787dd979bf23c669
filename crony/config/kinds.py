"""The kinds of value that a setting may have: text in, typed value out."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from crony import wire

T_co = TypeVar("T_co", covariant=True)

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


class Kind(NamedTuple, Generic[T_co]):
    """``parse`` raises ValueError with what would be right; ``form`` is for people."""

    form: str
    parse: Callable[[str], T_co]


def text_of(value: object) -> str:
    """Write a value so that its kind's ``parse`` reads the same value again."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return _duration_text(value)
    if isinstance(value, range):
        return f"{value.start}-{value.stop - 1}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)


def _duration_text(value: timedelta) -> str:
    milliseconds = value // timedelta(milliseconds=1)
    for unit, size in _UNITS.items():
        whole = size // timedelta(milliseconds=1)
        if milliseconds and milliseconds % whole == 0:
            return f"{milliseconds // whole}{unit}"
    return "0s"


def _text(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _path(value: str) -> str:
    # Here and not in os.path: a `~` must mean the same in a file as in a shell.
    from os.path import expanduser

    return expanduser(_text(value))


def _flag(value: str) -> bool:
    flags = {"true": True, "yes": True, "on": True, "1": True}
    flags |= {"false": False, "no": False, "off": False, "0": False}
    if value.lower() not in flags:
        raise ValueError(f"{value!r} is neither true nor false")
    return flags[value.lower()]


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _labels(value: str) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    for word in _words(value):
        key, equals, label = word.partition("=")
        if not key or not equals:
            raise ValueError(f"{word!r} is not of the form key=value")
        labels[key.strip()] = label.strip()
    return MappingProxyType(labels)


def _uids(value: str) -> range:
    match = re.fullmatch(r"(\d+)-(\d+)", value, re.ASCII)
    if match is None:
        raise ValueError(f"{value!r} is not of the form FIRST-LAST")
    first, last = int(match[1]), int(match[2])
    if not 0 < first <= last:
        raise ValueError(f"{value!r}: the first must be above 0 and not above the last")
    return range(first, last + 1)


def _bind(value: str) -> str:
    host, colon, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or not colon or (":" in host and not bracketed):
        raise ValueError(
            f"{value!r} is not of the form HOST:PORT; an IPv6 address goes in brackets"
        )
    if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or int(port) > 65535:
        raise ValueError(f"{value!r}: the port must be in 0..65535")
    return value


def _urls(value: str) -> str:
    words = [word.strip() for word in value.split(",")]
    for word in words:
        if not re.match(r"https?://[^/\s]", word):
            # SECURITY: before an @ may be a password, and in it a comma.
            shown = "an address with an @" if "@" in value else repr(word)
            raise ValueError(f"{shown} does not start with http:// or https://")
    return ",".join(word.rstrip("/") for word in words)


def count(*, least: int, most: int) -> Kind[int]:
    """Whole numbers within two bounds, both included."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
            raise ValueError(f"{value!r} is not a whole number")
        if not least <= int(value) <= most:
            raise ValueError(f"{value} is out of {least}..{most}")
        return int(value)

    return Kind(f"whole number, {least}..{most}", parse)


def duration(*, least: timedelta, most: timedelta) -> Kind[timedelta]:
    """Durations such as ``1h30m`` within two bounds, both included."""
    bounds = f"{text_of(least)}..{text_of(most)}"

    def parse(value: str) -> timedelta:
        total = wire.parse_duration(value)
        if not least <= total <= most:
            raise ValueError(f"{value} is out of {bounds}")
        return total

    return Kind(f"duration, {bounds}", parse)


def choice(*options: str) -> Kind[str]:
    """One of a few words."""

    def parse(value: str) -> str:
        if value not in options:
            raise ValueError(f"{value!r} is not one of {', '.join(options)}")
        return value

    return Kind("one of " + ", ".join(f"`{option}`" for option in options), parse)


TEXT = Kind("text", _text)
PATH = Kind("path", _path)
FLAG = Kind("`true` or `false`", _flag)
BIND = Kind("`HOST:PORT`", _bind)
URLS = Kind("URL, or several separated by commas", _urls)
WORDS = Kind("list, separated by commas", _words)
LABELS = Kind("`key=value`, separated by commas", _labels)
UIDS = Kind("`FIRST-LAST`", _uids)
