"""Checks and previews of a trigger, before there is a schedule."""

from __future__ import annotations

from datetime import datetime, timedelta

from crony import errors, wire
from crony.clock import cut
from crony.errors import Fault
from crony.model.schedule import Definition
from crony.model.trigger import At, Cron, Every, Trigger
from crony.scheduler.occurrences import calendar
from crony.triggers import Upcoming, bounded, compile_trigger
from crony.triggers.expression import is_hashed

#: The member of a body that says when.
_MEMBER: dict[type[Trigger], str] = {Cron: "cron", Every: "every", At: "at"}

#: What makes the occurrences of a definition, besides its name.
_WHEN = ("trigger", "start_at", "end_at")


def same_occurrences(one: Definition, other: Definition) -> bool:
    """Return whether two definitions are due at the same instants."""
    return all(getattr(one, name) == getattr(other, name) for name in _WHEN)


def check_trigger(
    definition: Definition, *, tenant: str, now: datetime, window: timedelta
) -> list[Fault]:
    """Return why a definition would never be due, with JSON pointers.

    Empty when it will be. An instant of ``at`` may lie in the past as long as a
    missed occurrence would still run: within the misfire ``window``.
    """
    faults = _bounds(definition, now)
    name = definition.name
    try:
        occurrences = calendar(
            definition,
            identity=f"{tenant}/{name or ''}",
            created_at=cut(now),
        )
    except errors.InvalidTrigger as exc:
        return [*faults, Fault(f"/{exc.field}", exc.detail)]
    member = f"/{_MEMBER[type(definition.trigger)]}"
    trigger = definition.trigger
    if isinstance(trigger, At):
        if trigger.instant < now - window:
            return [*faults, Fault(member, _too_late(trigger.instant, window))]
        if not faults and occurrences.first(trigger.instant, inclusive=True) is None:
            faults.append(Fault(member, "it lies outside of start_at and end_at"))
    elif not faults and occurrences.first(cut(now), inclusive=True) is None:
        faults.append(Fault(member, _never(definition.end_at)))
    return faults


def _bounds(definition: Definition, now: datetime) -> list[Fault]:
    start, end = definition.start_at, definition.end_at
    if end is None:
        return []
    said = wire.format_instant(end)
    if start is not None and start >= end:
        return [
            Fault(
                "/end_at",
                f'"{said}" is not after start_at "{wire.format_instant(start)}"',
            )
        ]
    if end <= now and not isinstance(definition.trigger, At):
        return [Fault("/end_at", f'"{said}" has passed: it would never be due')]
    return []


def _too_late(instant: datetime, window: timedelta) -> str:
    return (
        f'"{wire.format_instant(instant)}" lies more than '
        f'{wire.format_duration(window)} in the past; use a later instant, or "now"'
    )


def _never(end: datetime | None) -> str:
    if end is None:
        return "it would never be due again"
    return f'it would never be due before end_at "{wire.format_instant(end)}"'


def preview(
    *,
    tenant: str,
    trigger: Trigger,
    start_at: datetime | None,
    end_at: datetime | None,
    max_runs: int | None,
    name: str | None,
    count: int,
    now: datetime,
) -> tuple[str, list[Upcoming]]:
    """Say when a trigger would be due, if a schedule had it from ``now`` on.

    Raises ``InvalidBody`` for a trigger that has no meaning, or whose instants
    depend on a name that was not given.
    """
    if name is None and _needs_name(trigger):
        detail = "needed, since the instants of this trigger are drawn from it"
        raise errors.InvalidBody([Fault("/name", detail)])
    try:
        compiled = compile_trigger(
            trigger, identity=f"{tenant}/{name or ''}", anchor=start_at or cut(now)
        )
    except errors.InvalidTrigger as exc:
        raise errors.InvalidBody([Fault(f"/{exc.field}", exc.detail)]) from exc
    occurrences = bounded(
        compiled,
        not_before=None if isinstance(trigger, At) else cut(now),
        start_at=start_at,
        end_at=end_at,
    )
    number = count if max_runs is None else min(count, max_runs)
    since = cut(now) - timedelta.resolution
    if isinstance(trigger, At):
        since = min(since, trigger.instant - timedelta.resolution)
    return occurrences.describe(), occurrences.upcoming(since, number)


def _needs_name(trigger: Trigger) -> bool:
    if isinstance(trigger, Cron):
        return is_hashed(trigger.expression)
    return isinstance(trigger, Every) and isinstance(trigger.interval, str)
