"""Query parameters and conditional headers, each checked by name."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from crony import errors
from crony.api.bodies.fields import instant_of
from crony.api.request import Request
from crony.storage.contract import Position

LIMIT = range(1, 1001)
DEFAULT_LIMIT = 50

_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)

Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")


def split(query: str) -> Mapping[str, list[str]]:
    """Return a raw query's parameters; raises for text that is not UTF-8."""
    found: dict[str, list[str]] = {}
    for pair in query.split("&") if query else []:
        name, _, value = pair.partition("=")
        found.setdefault(_decoded(name, "query"), []).append(_decoded(value, name))
    return found


def _decoded(text: str, name: str) -> str:
    try:
        plain = unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError as exc:
        raise errors.InvalidParameter(name[:80], "is not UTF-8") from exc
    if "\0" in plain:
        raise errors.InvalidParameter(name[:80], "must not hold a NUL character")
    return plain


def refuse_unknown(given: Mapping[str, list[str]], known: Sequence[str]) -> None:
    """Refuse what the route does not know, with the nearest name that it does."""
    for name, values in given.items():
        if name not in known:
            close = get_close_matches(name[:128], known, n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            raise errors.InvalidParameter(name[:80], "unknown parameter" + hint)
        if len(values) > 1:
            raise errors.InvalidParameter(name, "is given more than once")


def text(req: Request, name: str) -> str | None:
    """Return a parameter; an empty one is none."""
    values = req.parameters.get(name)
    return values[0] or None if values else None


def parsed(req: Request, name: str, parse: Callable[[str], Value]) -> Value | None:
    """Return a parameter that ``parse`` understands."""
    given = text(req, name)
    if given is None:
        return None
    try:
        return parse(given)
    except ValueError as exc:
        raise errors.InvalidParameter(name, str(exc)) from exc


def integer(req: Request, name: str, *, bounds: range, default: int) -> int:
    """Return a whole number within bounds."""

    def parse(given: str) -> int:
        if _DIGITS.fullmatch(given) is None or int(given) not in bounds:
            raise ValueError(
                f'"{given[:40]}" is not a whole number in {bounds[0]}..{bounds[-1]}'
            )
        return int(given)

    found = parsed(req, name, parse)
    return default if found is None else found


def limit(req: Request) -> int:
    """Return how many items a page may have."""
    return integer(req, "limit", bounds=LIMIT, default=DEFAULT_LIMIT)


def instant(req: Request, name: str) -> datetime | None:
    """Return an instant."""
    return parsed(req, name, instant_of)


def flag(req: Request, name: str) -> bool:
    """Return a switch: ``true`` or ``false``."""
    return choice(req, name, {"true": True, "false": False}) or False


def choice(req: Request, name: str, words: Mapping[str, Value]) -> Value | None:
    """Return what one of some words stands for."""

    def parse(given: str) -> Value:
        if given not in words:
            known = ", ".join(f'"{word}"' for word in words)
            raise ValueError(f'"{given[:40]}" is not one of {known}')
        return words[given]

    return parsed(req, name, parse)


def member(req: Request, name: str, words: type[Word]) -> Word | None:
    """Return a member of an enum."""
    return choice(req, name, {word.value: word for word in words})


def label(req: Request) -> tuple[str, str] | None:
    """Return a label's name and value."""

    def parse(given: str) -> tuple[str, str]:
        name, colon, value = given.partition(":")
        if not colon or not name:
            raise ValueError(f'"{given[:80]}" is not of the form key:value')
        return name, value

    return parsed(req, "label", parse)


def cursor(req: Request) -> Position | None:
    """Return where a list goes on; a cursor fits the list that gave it alone."""

    def parse(given: str) -> Position:
        try:
            raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
            value, identity, seal = json.loads(raw)
        except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
            raise ValueError("is not a cursor of this service") from exc
        position = (value, identity)
        fits = (
            isinstance(identity, str)
            and (value is None or isinstance(value, str | int))
            and not isinstance(value, bool)
            and seal == _seal(req, position)
        )
        if not fits:
            raise ValueError("is not a cursor of this list with these filters")
        return position

    return parsed(req, "cursor", parse)


def next_cursor(req: Request, position: Position | None) -> str | None:
    """Return the cursor that goes on after a page."""
    if position is None:
        return None
    raw = json.dumps([*position, _seal(req, position)], separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _seal(req: Request, position: Position) -> str:
    """Return a checksum of a position in this list of this tenant.

    It is no secret: a cursor opens nothing that the key does not. It keeps a cursor
    from another list, or one that was edited, from being taken for a good one.
    """
    filters = {
        name: values
        for name, values in req.parameters.items()
        if name not in ("limit", "cursor")
    }
    said = json.dumps([req.path, req.caller.tenant, filters, position], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def etags(req: Request, header: str) -> list[str] | None:
    """Return the opaque parts of the strong tags, ``["*"]``, or none."""
    given = req.header(header)
    if given is None:
        return None
    if given == "*":
        return ["*"]
    found: list[str] = []
    for item in given.split(","):
        match = _ETAG.fullmatch(item.strip())
        if match is None:
            raise errors.InvalidParameter(
                header, 'must be * or entity tags such as "3"'
            )
        # A weak tag never equals another in a strong comparison.
        found.append("" if match[1] else match[2])
    return found


def if_match(req: Request, current: Callable[[], int]) -> int | None:
    """Return the revision that the request insists on; ``None`` is any.

    ``current`` is asked only where the header leaves several open.
    """
    given = etags(req, "If-Match")
    if given is None:
        return None
    if given == ["*"]:
        return current()
    revisions = [int(tag) for tag in given if _DIGITS.fullmatch(tag)]
    if len(revisions) == 1:
        return revisions[0]
    now = current()
    if now in revisions:
        return now
    if "W/" in (req.header("If-Match") or ""):
        raise errors.RevisionMismatch(
            "a weak entity tag never matches here; send the strong one, such as "
            f'"{max(now, 1)}" without W/'
        )
    # -1 is no revision of anything: the write refuses it.
    return -1


def creates_only(req: Request) -> bool:
    """Return whether ``If-None-Match: *`` was sent with a PUT."""
    given = etags(req, "If-None-Match")
    if given is not None and given != ["*"]:
        raise errors.InvalidParameter("If-None-Match", "may only be * here")
    return given is not None


def unchanged(req: Request, revision: int) -> bool:
    """Return whether the client has this revision already (a GET, weakly compared)."""
    given = req.header("If-None-Match")
    if given is None:
        return False
    tags = [item.strip().removeprefix("W/") for item in given.split(",")]
    return given.strip() == "*" or f'"{revision}"' in tags
