"""How far a task says it is: JSON such as ``{"percent": 40, "message": "…"}``.

Tasks write it as lines on a descriptor of their own, hooks print it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

#: Characters of a line's message.
_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was said; ``percent`` is 0..100, or ``None`` where it was left out."""

    percent: float | None
    message: str


def of_line(line: str | bytes) -> Spoken | None:
    """Return what a line says, or ``None`` where it is no such line."""
    try:
        return of_value(json.loads(line))
    except (ValueError, RecursionError):
        return None


def of_value(value: object) -> Spoken | None:
    """Return what a line says that was parsed already."""
    if not isinstance(value, dict) or not value.keys() & {"percent", "message"}:
        return None
    percent, message = value.get("percent"), value.get("message", "")
    if not _is_percent(percent) or not isinstance(message, str):
        return None
    return Spoken(percent, _sendable(message[:_MESSAGE]))


def of_text(text: str) -> Spoken:
    """Return what a hook says that printed this: its last such line, else all of it."""
    for line in reversed(text.splitlines()):
        if (said := of_line(line)) is not None:
            return said
    return Spoken(None, text.strip())


def _is_percent(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and 0 <= value <= 100


def _sendable(message: str) -> str:
    """Return the text without what JSON bodies may not hold."""
    whole = message.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return whole.encode("utf-8", "replace").decode("utf-8")
