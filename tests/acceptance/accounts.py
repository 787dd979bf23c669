"""What the service says of each occurrence, beside what was due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from crony.client import Client
from tests.acceptance.plans import End, Plan

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Span:
    """The whole seconds within which a schedule was there, its edges left out."""

    since: datetime
    until: datetime


#: So many occurrences end in every way in which those of a plan may.
_MANY = 6


def span(*, created: Mapping[str, object], paused: Mapping[str, object]) -> Span:
    """Return that of a schedule from its creation to its last pause."""
    since = datetime.fromisoformat(str(created["created_at"]))
    until = datetime.fromisoformat(str(paused["updated_at"]))
    return Span(since.replace(microsecond=0) + _SECOND, until.replace(microsecond=0))


def due(plan: Plan, within: Span) -> list[datetime]:
    """Return what was due, worked out without the service."""
    found, at = [], within.since
    while at < within.until:
        if at.second % plan.period == 0:
            found.append(at)
        at += _SECOND
    return found


def faults(client: Client, plan: Plan, within: Span) -> list[str]:
    """Return in words what has no record, more than one, or one it may not have."""
    since, until = within.since.isoformat(), within.until.isoformat()
    entries = list(client.each_occurrence(plan.name, since=since, until=until))
    # A stretch is told of as a whole, also where only a part of it was asked for.
    recorded = Counter(
        at
        for entry in entries
        for at in _instants(plan, entry)
        if within.since <= at < within.until
    )
    wanted = due(plan, within)
    found = [f"{plan.name} {at}: no record" for at in wanted if at not in recorded]
    found += [f"{plan.name} {at}: {n} records" for at, n in recorded.items() if n > 1]
    found += [f"{plan.name} {at}: was not due" for at in recorded.keys() - set(wanted)]
    ends: Counter[End] = Counter()
    for entry in entries:
        ends[str(entry["state"]), _text(entry["reason"])] += cast(int, entry["count"])
    found += [
        f"{plan.name}: {n} are {end}" for end, n in ends.items() if end not in plan.ends
    ]
    # In a short trial, and with nodes that are away, not everything has its turn.
    must = plan.must if len(wanted) >= _MANY else frozenset()
    found += [f"{plan.name}: none is {end}: {ends}" for end in must - set(ends)]
    for part in client.each_audit(schedule=plan.name, since=since, until=until):
        gaps, unverifiable = part["gaps"], part["unverifiable"]
        assert isinstance(gaps, list)
        assert isinstance(unverifiable, list)
        found += [f"{plan.name}: the audit found {one}" for one in gaps + unverifiable]
    return found


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _instants(plan: Plan, entry: Mapping[str, object]) -> Sequence[datetime]:
    """Return the occurrences that one record stands for."""
    first = datetime.fromisoformat(str(entry["at"]))
    number = cast(int, entry["count"])
    last = first + timedelta(seconds=plan.period) * (number - 1)
    until = first if entry["until"] is None else entry["until"]
    assert last == datetime.fromisoformat(str(until)), f"{entry} counts wrongly"
    return [first + timedelta(seconds=plan.period) * n for n in range(number)]


def by_hand(
    runs: Sequence[Mapping[str, object]], triggered: Sequence[str]
) -> list[str]:
    """Return in words what is wrong with the runs that people made."""
    made = [str(run["id"]) for run in runs if run["origin"] == "manual"]
    found = [f"{id}: made by nobody" for id in set(made) - set(triggered)]
    found += [f"{id}: acknowledged and gone" for id in set(triggered) - set(made)]
    if len(set(triggered)) != len(triggered):
        found.append(f"two keys made one run: {triggered}")
    return found
