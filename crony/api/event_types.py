"""Words that a request may ask for events by."""

from __future__ import annotations

from difflib import get_close_matches

from crony.model.event import FILTERS


def check_type(word: str) -> str:
    """Return a type of events, or of all of a noun; raises ``ValueError``."""
    if word in FILTERS:
        return word
    close = get_close_matches(word[:64], FILTERS, n=1)
    hint = f'did you mean "{close[0]}"?' if close else 'such as "run.failed" or "run.*"'
    raise ValueError(f'"{word[:64]}" is not a type of event; {hint}')


def types_of(text: str) -> frozenset[str]:
    """Return the types that a list names; raises ``ValueError``."""
    return frozenset(check_type(word.strip()) for word in text.split(","))
