"""When a schedule was due, found out by trying instant after instant.

Nothing of ``crony.triggers`` has a say here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from crony.model.schedule import Definition, Version
from crony.model.trigger import At, Cron, Every

_SECOND = timedelta(seconds=1)


def occurrences(
    versions: Sequence[Version], *, created_at: datetime, until: datetime
) -> dict[datetime, Version]:
    """Return what was due up to an instant, inclusive, with the version it is due by.

    ``versions`` are the oldest first; an instant belongs to the one that began before
    it. ``max_runs`` counts over all of them.
    """
    found: dict[datetime, Version] = {}
    for index, version in enumerate(versions):
        later = versions[index + 1 : index + 2]
        end = min([until, *(each.since for each in later)])
        for instant in _instants(version.definition, created_at, end):
            # What is asked for by itself counts also when its instant has just passed.
            late = index == 0 and isinstance(version.definition.trigger, At)
            if (version.since < instant or late) and instant <= end:
                found[instant] = version
    most = versions[-1].definition.max_runs if versions else None
    ordered = sorted(found)
    return {instant: found[instant] for instant in ordered[:most]}


def _instants(
    definition: Definition, created_at: datetime, end: datetime
) -> Iterator[datetime]:
    if definition.end_at is not None:
        end = min(end, definition.end_at - timedelta(milliseconds=1))
    match definition.trigger:
        case At(instant):
            if instant <= end:
                yield instant
        case Every(interval) if isinstance(interval, timedelta):
            instant = created_at
            while instant <= end:
                yield instant
                instant += interval
        case Cron(expression):
            step = int(expression.split(" ")[0].removeprefix("*/"))
            instant = created_at.astimezone(UTC).replace(microsecond=0)
            while instant <= end:
                if instant.second % step == 0 and instant >= created_at:
                    yield instant
                instant += _SECOND
        case _:
            raise ValueError(f"{definition.trigger} is not simulated")
