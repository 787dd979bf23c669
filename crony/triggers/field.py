"""One field of a cron expression: its name, its bounds and the values it lists.

croniter expands numbers, names and ranges. Steps are taken here, because it counts
the steps of a range that wraps around wrongly and reads ``5-5`` as every value; so
is ``H``, because its hash couples the minute to the hour and reaches only a sixth of
the minutes of a day.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from croniter import (  # type: ignore[import-untyped]  # it ships no types
    CroniterError,
    croniter,
)

from crony import errors

_HASHED: Final = re.compile(r"h(?:\((\d+)-(\d+)\))?(?:/(\d+))?", re.ASCII)
_PLAIN: Final = re.compile(
    r"(?:(?P<all>[*?])|(?P<low>\d+|[a-z]+)(?:-(?P<high>\d+|[a-z]+))?)(?:/(?P<step>\d+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Field:
    """The shape of one field. ``slot`` is its place among croniter's five."""

    name: str
    low: int
    high: int
    slot: int
    names: tuple[str, ...] = ()
    #: The last value that ``H`` may take: day 29 to 31 is not in every month.
    hashed_high: int | None = None

    @property
    def values(self) -> range:
        """All values, in order."""
        return range(self.low, self.high + 1)


_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun",
    "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

SECOND: Final = Field("second", 0, 59, slot=0)
MINUTE: Final = Field("minute", 0, 59, slot=0)
HOUR: Final = Field("hour", 0, 23, slot=1)
DAY_OF_MONTH: Final = Field("day-of-month", 1, 31, slot=2, hashed_high=28)
MONTH: Final = Field("month", 1, 12, slot=3, names=_MONTHS)
DAY_OF_WEEK: Final = Field("day-of-week", 0, 6, slot=4, names=_WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Source:
    """The expression being read, to quote it, and what ``H`` is hashed from."""

    text: str
    identity: str

    def refused(self, problem: str) -> errors.InvalidTrigger:
        """Return the error that says what is wrong with the expression."""
        quoted = json.dumps(self.text, ensure_ascii=False)
        return errors.InvalidTrigger("cron", f"{quoted}: {problem}")


def items_of(text: str, field: Field, source: Source) -> list[str]:
    """Split a field's list into its items, in lower case."""
    items = text.casefold().split(",")
    if not all(items):
        raise source.refused(f'{field.name} "{text}" has an empty item in its list')
    return items


def values_of(item: str, field: Field, source: Source) -> frozenset[int]:
    """Return the values of one item: ``*``, ``5``, ``mon-fri``, ``*/15``, ``H/15``."""
    hashed = _HASHED.fullmatch(item)
    if hashed:
        return _hashed_values(hashed, field, source)
    plain = _PLAIN.fullmatch(item)
    if plain is None:
        raise _refused_item(item, field, source)
    if plain["all"] == "?" and field not in (DAY_OF_MONTH, DAY_OF_WEEK):
        raise source.refused(f'"?" stands for a day field only; {field.name} needs "*"')
    step = _step_of(plain["step"], field, source)
    if plain["all"]:
        return frozenset(field.values[::step])
    low = number_of(plain["low"], field, source)
    if plain["high"] is None:
        end = field.high if plain["step"] else low
        return frozenset(range(low, end + 1, step))
    high = number_of(plain["high"], field, source)
    if high == low:
        # Sunday is both ends of a week: "0-7" is all of it.
        whole = field is DAY_OF_WEEK and plain["high"] == "7" and plain["low"] != "7"
        return frozenset(field.values[::step]) if whole else frozenset({low})
    return frozenset(_ranged(plain["low"], plain["high"], field, source, step))


def number_of(text: str, field: Field, source: Source) -> int:
    """Return the value that a number or a name stands for."""
    if text.isdecimal():
        # Sunday is 7 as well as 0.
        top = 7 if field is DAY_OF_WEEK else field.high
        if len(text) > 4 or not field.low <= int(text) <= top:
            bounds = f"{field.low}..{top}"
            raise source.refused(f"{field.name} {text[:20]} is out of {bounds}")
        return int(text) % 7 if field is DAY_OF_WEEK else int(text)
    if text not in field.names:
        raise _refused_item(text, field, source)
    return field.names.index(text) + field.low


def is_number(text: str, field: Field) -> bool:
    """Say whether a text is a number or one of the field's names."""
    return (text.isascii() and text.isdecimal()) or text in field.names


def _ranged(low: str, high: str, field: Field, source: Source, step: int) -> list[int]:
    """Return every ``step``-th value of a range, from its own beginning."""
    values = _expanded(f"{low}-{high}", field)
    if values is None:
        raise source.refused(
            f'{field.name} "{low}-{high}" ends before it begins; '
            f"write two ranges instead"
        )
    start = number_of(low, field, source)
    span = field.high - field.low + 1
    return sorted(values, key=lambda value: (value - start) % span)[::step]


@lru_cache(maxsize=4096)
def _expanded(item: str, field: Field) -> frozenset[int] | None:
    fields = ["0", "0", "1", "1", "*"]
    fields[field.slot] = item
    try:
        expanded = croniter.expand(" ".join(fields))[0][field.slot]
    except CroniterError:
        return None
    values = [value for value in expanded if isinstance(value, int)]
    return frozenset(values or field.values)


def _step_of(text: str | None, field: Field, source: Source) -> int:
    if text is None:
        return 1
    if len(text) > 4 or not 1 <= int(text) <= len(field.values):
        bounds = f"1..{len(field.values)}"
        raise source.refused(f"step {text[:20]} of the {field.name} is out of {bounds}")
    return int(text)


def _hashed_values(
    hashed: re.Match[str], field: Field, source: Source
) -> frozenset[int]:
    """Spread load as Jenkins does: ``H``, ``H/15``, ``H(0-29)``, ``H(0-29)/10``."""
    low_text, high_text, step_text = hashed.groups()
    if low_text is None:
        low, high = field.low, field.hashed_high or field.high
    else:
        low = number_of(low_text, field, source)
        high = number_of(high_text, field, source)
        if low > high:
            raise source.refused(
                f'{field.name} "{hashed[0].upper()}" ends before it begins'
            )
    digest = hashlib.sha256(f"{source.identity}\n{field.name}".encode()).digest()
    drawn = int.from_bytes(digest[:8], "big")
    if step_text is None:
        return frozenset({low + drawn % (high - low + 1)})
    step = _step_of(step_text, field, source)
    offset = drawn % min(step, high - low + 1)
    return frozenset(range(low + offset, high + 1, step))


def _refused_item(item: str, field: Field, source: Source) -> errors.InvalidTrigger:
    kinds = "a number, a range such as 1-5, a step such as */2"
    names = f" or a name such as {field.names[1].upper()}" if field.names else ""
    bounds = f"{field.low}..{field.high}"
    return source.refused(
        f'{field.name} "{item[:40]}" is not {kinds}{names}, in {bounds}'
    )
