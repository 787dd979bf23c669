"""Limits of groups and tenants: who takes them up, and what a free place lets go.

Limits and what is held are numbers of the tenant's head, so that each commit knows
them and none can be wrong about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from crony.model.state import Origin
from crony.storage.mongodb import kinds, lanes
from crony.storage.mongodb.work import Work

_LIMIT, _HELD = "limit/", "held/"
#: There while nothing of the tenant may be leased.
_STANDS_STILL = "stands_still"

#: Stands for the tenant where else a group's name is.
TENANT = ""


def limit_tenant(work: Work, limit: int | None, *, held: bool = False) -> None:
    """Bound how many runs of the tenant may be in workers' hands; none, if held."""
    work.keep(_LIMIT + TENANT, limit)
    work.keep(_STANDS_STILL, 1 if held else None)


def limit_group(work: Work, name: str, limit: int | None) -> None:
    """Bound how many runs of a group may be in workers' hands."""
    work.keep(_LIMIT + name, limit)


def forget(work: Work) -> None:
    """Forget the limits of a tenant that goes."""
    work.keep(_STANDS_STILL, None)
    for name in work.numbers(_LIMIT):
        work.keep(_LIMIT + name, None)


def count(work: Work, group: str, one: int) -> None:
    """Count a run that comes into a worker's hands, or leaves them."""
    work.add(_HELD + group, one)
    work.add(_HELD + TENANT, one)


def limit_of(work: Work, name: str) -> int | None:
    """Return the limit of a group, or of the tenant."""
    return work.maybe_number(_LIMIT + name)


def held_in(work: Work, name: str) -> int:
    """Return how many runs of a group, or of the tenant, are in workers' hands."""
    return work.number(_HELD + name)


def stands_still(work: Work) -> bool:
    """Return whether nothing of the tenant may be leased."""
    return work.maybe_number(_STANDS_STILL) is not None


def full(work: Work, name: str) -> bool:
    """Return whether a group, or the tenant, has no place."""
    limit = limit_of(work, name)
    return limit is not None and held_in(work, name) >= limit


def free(work: Work, name: str) -> int | None:
    """Return how many more a group, or the tenant, may have; ``None``: any number."""
    limit = limit_of(work, name)
    return None if limit is None else max(0, limit - held_in(work, name))


class _Places:
    """Where there are places, by numbers of a head."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = numbers
        self.still = _STANDS_STILL in numbers
        self.tenant = not self.still and self._free(TENANT)

    def _free(self, name: str) -> bool:
        limit = self._numbers.get(_LIMIT + name)
        return limit is None or self._numbers.get(_HELD + name, 0) < limit

    def free(self, group: str) -> bool:
        """Return whether a run of a group has a place; a hook's, of none, has one."""
        if group == lanes.NO_GROUP:
            return not self.still
        return self.tenant and self._free(group)


@contextmanager
def opening(work: Work) -> Iterator[set[tuple[str, str]]]:
    """Add to the set, at the end, the lines of runs that have a place only now."""
    lines: set[tuple[str, str]] = set()
    yield lines
    lines |= opened(work)


def opened(work: Work) -> set[tuple[str, str]]:
    """Return the lines of runs that waited for a place, and have one now."""
    before, now = _Places(work.head.numbers), _Places(work.numbers(""))
    if now.still or not _any_opened(work, before, now):
        return set()
    lines = set()
    for text, lane in lanes.open_lanes(work).items():
        if not before.free(lane.group) and now.free(lane.group):
            left = work.find(
                kinds.RUNS,
                {"open_lane": text},
                limit=1,
                fields=["open_lane"],
                index="open",
            )
            if left:
                lines.add((work.tenant, lane.queue))
    # What is not available yet, of which there is little, is in no lane.
    for run in work.find(
        kinds.RUNS,
        {"ready_at": {"$exists": True}, "admitted": True},
        fields=["ready_at", "admitted", "group", "queue", "origin"],
        index="ready",
    ):
        of_hook = run["origin"] == Origin.HOOK.value
        group = lanes.NO_GROUP if of_hook else cast("str", run["group"])
        if not before.free(group) and now.free(group):
            lines.add((work.tenant, cast("str", run["queue"])))
    return lines


def _any_opened(work: Work, before: _Places, now: _Places) -> bool:
    """Return whether there is a place anywhere where there was none."""
    if before.still or now.tenant != before.tenant:
        return now.tenant or before.still
    groups = {
        name.removeprefix(_LIMIT)
        for name in (*work.head.numbers, *work.numbers(""))
        if name.startswith(_LIMIT)
    }
    return any(now.free(g) and not before.free(g) for g in groups if g != TENANT)
