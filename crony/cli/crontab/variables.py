"""The environment lines of a crontab: ``NAME = value``, quoted or not."""

from __future__ import annotations

#: What cron calls a blank here: the C library's ``isspace``.
_BLANKS = " \t\r\v\f\n"


def assignment(line: str) -> tuple[str, str] | None:
    """Return the name and value that a line sets, or None when it sets nothing.

    Both may be in single or double quotes, which keep the blanks inside. Nothing is
    expanded. An empty value needs quotes: without them cron takes the line for a
    command's, and so does this.
    """
    named = _name(line.strip(_BLANKS))
    if named is None:
        return None
    name, rest = named
    rest = rest.lstrip(_BLANKS)
    if not rest.startswith("="):
        return None
    value = _value(rest[1:].lstrip(_BLANKS))
    return None if value is None else (name, value)


def _name(line: str) -> tuple[str, str] | None:
    """Split a line after its first word, which may be in quotes."""
    if line[:1] in ("'", '"'):
        name, quote, rest = line[1:].partition(line[0])
        return (name, rest) if quote and "=" not in name else None
    for position, character in enumerate(line):
        if character == "=" or character in _BLANKS:
            return line[:position], line[position:]
    return None


def _value(text: str) -> str | None:
    if text[:1] in ("'", '"'):
        value, quote, rest = text[1:].partition(text[0])
        return value if quote and not rest.strip(_BLANKS) else None
    return text.rstrip(_BLANKS) or None
