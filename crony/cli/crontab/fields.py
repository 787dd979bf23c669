"""The time fields of a crontab line, as Debian's cron reads them.

What cron takes is written out plainly (no leading zeros, names in capitals), and
what it would not take is refused with the field and the value: a line that cron
ignored must not start to run because it was imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_DAYS = "SUN MON TUE WED THU FRI SAT"

#: What stands after an ``@``; ``reboot`` is known too, and has no instant.
ALIASES = ("yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, {name: n for n, name in enumerate(_MONTHS.split(), 1)}),
    _Field("day of week", 0, 7, {name: n for n, name in enumerate(_DAYS.split())}),
)

_RANGE = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\w+))?", re.ASCII)


def expression(words: list[str]) -> str:
    """Return the five fields as one expression; ValueError says what is wrong."""
    return " ".join(_field(f, word) for f, word in zip(_FIELDS, words, strict=True))


def alias(word: str) -> str:
    """Return an alias such as ``@daily`` as it is, if cron knows it."""
    if word[1:] in ALIASES:
        return word
    hint = f"; did you mean {word.lower()}?" if word[1:].lower() in ALIASES else ""
    known = ", ".join("@" + name for name in ALIASES)
    raise ValueError(f'"{word}" is none of {known}{hint}')


def _field(field: _Field, word: str) -> str:
    return ",".join(_range(field, part, word) for part in word.split(","))


def _range(field: _Field, part: str, word: str) -> str:
    match = _RANGE.fullmatch(part)
    if match is None or (match[1] == "*" and match[2]):
        raise ValueError(f'{field.name} "{word}" is not what crontab(5) knows')
    first, last, step = match.groups()
    if first == "*":
        return "*" + _step(field, step)
    low = _number(field, first)
    if last is None:
        if step is not None:
            raise ValueError(
                f'{field.name} "{part}": a step needs a range; '
                f"write {first}-{field.high}/{step}"
            )
        return _plain(field, first)
    if _number(field, last) < low:
        raise ValueError(f'{field.name} "{part}": the range runs backwards')
    return f"{_plain(field, first)}-{_plain(field, last)}{_step(field, step)}"


def _number(field: _Field, text: str) -> int:
    if not text.isdigit():
        if text.upper() not in field.names:
            raise ValueError(f'{field.name} "{text}" is neither a number nor a name')
        return field.names[text.upper()]
    number = int(text.lstrip("0")[:9] or "0")
    if not field.low <= number <= field.high:
        raise ValueError(f"{field.name} {text} is out of {field.low}..{field.high}")
    return number


def _plain(field: _Field, text: str) -> str:
    return str(_number(field, text)) if text.isdigit() else text.upper()


def _step(field: _Field, step: str | None) -> str:
    if step is None:
        return ""
    number = int(step.lstrip("0")[:9] or "0") if step.isdigit() else 0
    # Sunday counts once here, although it is both 0 and 7.
    most = 7 if field.high == 7 else field.high - field.low + 1
    if not 1 <= number <= most:
        raise ValueError(f'{field.name}: the step "{step}" is not in 1..{most}')
    return f"/{number}"
