"""From a trigger's values to its occurrences; all that is wrong is said here."""

from __future__ import annotations

import difflib
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, assert_never, get_args

from crony import errors
from crony.clock import MOMENT, cut
from crony.model.trigger import At, Cadence, Cron, DstRule, Every, Fold, Gap, Trigger
from crony.triggers import describe
from crony.triggers.cadence import LENGTHS, assigned_moment, cadence_pattern
from crony.triggers.calendar import Calendar
from crony.triggers.clockwork import AS_IT_PASSES, ONCE_A_DAY, ClockworkOccurrences
from crony.triggers.expression import Expression, is_hashed, parsed
from crony.triggers.interval import IntervalOccurrences
from crony.triggers.occurrences import Occurrences
from crony.triggers.pattern import Pattern
from crony.triggers.single import SingleOccurrence
from crony.triggers.zone import zone_named

_SHORTEST: Final = timedelta(seconds=1)
# Beyond it the calendar's own end is too near to look for a first occurrence.
_LATEST_YEAR: Final = 9000


def compile_trigger(
    trigger: Trigger, *, identity: str, anchor: datetime
) -> Occurrences:
    """Return the occurrences of a trigger, or raise ``errors.InvalidTrigger``.

    ``identity`` is what ``H`` and cadence words are hashed from; ``anchor`` is the
    first occurrence of an interval. Compiling the same again is cheap.
    """
    match trigger:
        case Cron():
            # Only what depends on its owner is kept once per owner.
            owner = identity if is_hashed(trigger.expression) else ""
            return _checked_cron(trigger, owner, min(anchor.year, _LATEST_YEAR))
        case Every(interval=timedelta()):
            return _compiled_interval(trigger, cut(anchor))
        case Every():
            return _compiled_cadence(trigger, identity)
        case At():
            return _compiled_instant(trigger)
        case _:
            assert_never(trigger)


@lru_cache(maxsize=4096)
def _checked_cron(trigger: Cron, identity: str, year: int) -> Occurrences:
    """Refuse what no clock shows from a year on: all of it falls into gaps."""
    occurrences = _compiled_cron(trigger, identity)
    if occurrences.first(datetime(year, 1, 1, tzinfo=UTC), inclusive=True) is None:
        raise errors.InvalidTrigger(
            "cron",
            f"{_quoted(trigger.expression)}: it never fires: {trigger.timezone} skips "
            f"every reading that it asks for; the gap rule "
            f'"shift" moves them behind the gap',
        )
    return occurrences


@lru_cache(maxsize=4096)
def _compiled_cron(trigger: Cron, identity: str) -> Occurrences:
    expression = parsed(trigger.expression, identity=identity)
    zone = zone_named(trigger.timezone)
    return ClockworkOccurrences(
        Pattern(
            Calendar(expression.days),
            hours=expression.hours,
            minutes=expression.minutes,
            seconds=expression.seconds,
        ),
        zone=zone,
        rule=_rule(trigger, expression),
        description=describe.cron_text(expression, timezone=zone.name),
    )


def _rule(trigger: Cron, expression: Expression) -> DstRule:
    rule = trigger.dst
    if rule == "cron":
        return AS_IT_PASSES if expression.as_it_passes else ONCE_A_DAY
    if not isinstance(rule, DstRule):
        raise errors.InvalidTrigger(
            "dst", f'{_quoted(rule)} is not "cron" and not {{"gap": …, "fold": …}}'
        )
    if rule.gap not in get_args(Gap):
        raise errors.InvalidTrigger(
            "dst", f"gap {_quoted(rule.gap)} is none of {', '.join(get_args(Gap))}"
        )
    if rule.fold not in get_args(Fold):
        raise errors.InvalidTrigger(
            "dst", f"fold {_quoted(rule.fold)} is none of {', '.join(get_args(Fold))}"
        )
    return rule


@lru_cache(maxsize=4096)
def _compiled_interval(trigger: Every, anchor: datetime) -> Occurrences:
    interval = trigger.interval
    assert isinstance(interval, timedelta)
    if interval < _SHORTEST:
        raise errors.InvalidTrigger(
            "every", f"{interval.total_seconds():g}s is shorter than 1s"
        )
    if interval % MOMENT:
        raise errors.InvalidTrigger(
            "every",
            f"{interval.total_seconds():.6f}s is finer than a millisecond; "
            f"instants are kept in whole milliseconds",
        )
    return IntervalOccurrences(
        interval,
        anchor=anchor.astimezone(UTC),
        zone=zone_named(trigger.timezone),
        description=describe.interval_text(interval),
    )


@lru_cache(maxsize=4096)
def _compiled_cadence(trigger: Every, identity: str) -> Occurrences:
    cadence = trigger.interval
    if cadence not in LENGTHS:
        raise errors.InvalidTrigger("every", _no_cadence(str(cadence)))
    assert not isinstance(cadence, timedelta)
    zone = zone_named(trigger.timezone)
    moment = assigned_moment(cadence, identity=identity)
    return ClockworkOccurrences(
        cadence_pattern(cadence, moment),
        zone=zone,
        # A day has one occurrence whatever its length; a long day has more hours.
        rule=AS_IT_PASSES if cadence in ("minute", "hour") else ONCE_A_DAY,
        description=describe.cadence_text(cadence, moment, timezone=zone.name),
    )


def _no_cadence(word: str) -> str:
    words = get_args(Cadence)
    nearest = difflib.get_close_matches(word.casefold()[:20], words, n=1)
    hint = f'; nearest: "{nearest[0]}"' if nearest else ""
    return (
        f"{_quoted(word[:40])} is neither a duration nor one of "
        f"{', '.join(words)}{hint}"
    )


@lru_cache(maxsize=4096)
def _compiled_instant(trigger: At) -> Occurrences:
    if trigger.instant.utcoffset() is None:
        raise errors.InvalidTrigger(
            "at", f'{_quoted(trigger.instant.isoformat())} has no offset, such as "Z"'
        )
    try:
        return SingleOccurrence(trigger.instant, zone=zone_named(trigger.timezone))
    except OverflowError as exc:
        raise errors.InvalidTrigger(
            "at",
            f"{_quoted(trigger.instant.isoformat())} is outside of the years 1 to 9999",
        ) from exc


def _quoted(text: object) -> str:
    return json.dumps(str(text), ensure_ascii=False)
