"""What was due of a schedule, worked out again from the versions it had.

A schedule's history is a row of eras, in each of which one version held. An era ends
at the instant of the edit that ended it, which itself still belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crony import errors
from crony.clock import MOMENT
from crony.model.schedule import Schedule, Version
from crony.model.state import ScheduleState
from crony.model.trigger import At
from crony.scheduler.contention import again
from crony.scheduler.occurrences import calendar
from crony.scheduler.stretches import Stretch, nth, stretch
from crony.storage.contract import RunQuery, Store
from crony.triggers import Bounded, rules_of

#: So many versions are read at once, and so many at all.
_PAGE = 100
_MOST = 1_000


class Doubt(StrEnum):
    """Why it can't be told what was due."""

    #: The versions of that time are not kept any more.
    HISTORY = "history"
    #: It was worked out under other rules of its zone.
    RULES = "rules"
    #: The zone went with a release of the tz database.
    ZONE = "zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Era:
    """A span, both ends inclusive, in which one version held.

    ``last`` is where ``max_runs`` was reached: nothing after it was due. Without a
    ``version`` there was no schedule yet, or it is not known.
    """

    low: datetime
    high: datetime
    version: Version | None = None
    calendar: Bounded | None = None
    last: datetime
    doubt: Doubt | None = None

    def first(self, low: datetime, high: datetime) -> datetime | None:
        """Return the first occurrence in a part of it, both ends inclusive."""
        if self.calendar is None or low > high:
            return None
        found = self.calendar.first(max(low, self.low), inclusive=True)
        return None if found is None or found > min(high, self.last) else found

    def due(self, low: datetime, high: datetime) -> Stretch | None:
        """Return what was due in a part of it, both ends inclusive."""
        if self.calendar is None:
            return None
        return stretch(self.calendar, max(low, self.low), min(high, self.last))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A schedule, and the versions it had, oldest first.

    Of a ``deleted`` one nothing is worked out: it is not kept when that was.
    """

    schedule: Schedule
    versions: tuple[Version, ...]
    deleted: bool = False

    @property
    def bounded(self) -> bool:
        """Whether ``max_runs`` had a say in what was due."""
        return any(each.definition.max_runs is not None for each in self.versions)

    @property
    def whole(self) -> bool:
        """Whether the first version is among these."""
        return bool(self.versions) and self._begins_before(self.schedule.created_at)

    def _begins_before(self, instant: datetime) -> bool:
        return self.versions[0].since < instant

    def calendar(self, version: Version) -> Bounded:
        """Return the occurrences of a version; raises ``InvalidTrigger``."""
        as_it_was = replace(self.schedule, definition=version.definition)
        return calendar(
            version.definition,
            identity=as_it_was.identity,
            created_at=self.schedule.created_at,
        )

    def eras(self, start: datetime, end: datetime) -> list[Era]:
        """Return the eras that fill a span, both ends inclusive."""
        if self.deleted or not self.versions:
            doubt = None if self.deleted else Doubt.HISTORY
            return [Era(low=start, high=end, last=end, doubt=doubt)]
        found: list[Era] = []
        begin = self.versions[0].since
        if start <= begin:
            doubt = None if self.whole else Doubt.HISTORY
            high = min(begin, end)
            found.append(Era(low=start, high=high, last=high, doubt=doubt))
        found += [
            replace(era, low=max(era.low, start))
            for era in self._eras(end)
            if era.high >= start
        ]
        return list(_spliced(found, self._late(start, end)))

    def _eras(self, end: datetime) -> Iterator[Era]:
        """Yield the eras up to an instant, with where ``max_runs`` ended them."""
        counted = 0
        for index, version in enumerate(self.versions):
            low = version.since + MOMENT
            later = self.versions[index + 1 : index + 2]
            high = min([end, *(each.since for each in later)])
            if low > high:
                continue
            era = self._era(version, low, high)
            if era.calendar is not None and self.bounded:
                if not later and self.schedule.cursor is not None:
                    era = replace(era, last=self._present_last(era))
                else:
                    era = self._cut(era, counted)
                found = era.due(low, high)
                counted += found.count if found else 0
                counted += self._was_late(index)
            yield era

    def _era(self, version: Version, low: datetime, high: datetime) -> Era:
        try:
            due = self.calendar(version)
            rules = rules_of(version.definition.trigger)
        except errors.InvalidTrigger:
            return Era(low=low, high=high, version=version, last=high, doubt=Doubt.ZONE)
        return Era(
            low=low,
            high=high,
            version=version,
            calendar=due,
            last=high,
            doubt=None if rules in ("", version.rules) else Doubt.RULES,
        )

    def _present_last(self, era: Era) -> datetime:
        """Return the last occurrence that ``max_runs`` leaves to the present version.

        All before the cursor counted; the store knows how many that were.
        """
        most, cursor = self.schedule.definition.max_runs, self.schedule.cursor
        if most is None or cursor is None:
            return era.high
        left = most - self.schedule.occurrences
        return _cut(era, max(era.low, cursor), left)

    def _cut(self, era: Era, counted: int) -> Era:
        most = era.version.definition.max_runs if era.version else None
        if most is None:
            return era
        if not self.whole:
            return replace(era, doubt=Doubt.HISTORY)
        return replace(era, last=_cut(era, era.low, most - counted))

    def _was_late(self, index: int) -> bool:
        """Return whether a version asked for an instant that had passed by then."""
        version = self.versions[index]
        trigger = version.definition.trigger
        if not isinstance(trigger, At) or trigger.instant > version.since:
            return False
        before = self.versions[index - 1] if index else None
        if before is None and not self.whole:
            return False
        if before is not None and before.definition.trigger == trigger:
            return False
        due = self.calendar(version).first(trigger.instant, inclusive=True)
        return due == trigger.instant

    def _late(self, start: datetime, end: datetime) -> list[Era]:
        """Return instants of ``at`` in a span that had passed when asked for."""
        found: list[Era] = []
        for index, version in enumerate(self.versions):
            trigger = version.definition.trigger
            if not isinstance(trigger, At) or not start <= trigger.instant <= end:
                continue
            if self._was_late(index):
                found.append(self._era(version, trigger.instant, trigger.instant))
        return found


def _cut(era: Era, low: datetime, left: int) -> datetime:
    """Return the ``left``-th occurrence from ``low`` on, or the era's end."""
    found = era.due(low, era.high)
    if found is None or found.count <= left:
        return era.high
    if left < 1 or era.calendar is None:
        return low - MOMENT
    return nth(era.calendar, found.first, found.last, left)


def _spliced(eras: Sequence[Era], late: Sequence[Era]) -> Iterator[Era]:
    """Put eras of one instant into those that hold them."""
    for era in eras:
        low = era.low
        for single in sorted(late, key=lambda each: each.low):
            at = single.low
            if not low <= at <= era.high or era.first(at, at) is not None:
                continue
            if low < at:
                yield _part(era, low, at - MOMENT)
            yield single
            low = at + MOMENT
        if low <= era.high:
            yield _part(era, low, era.high)


def _part(era: Era, low: datetime, high: datetime) -> Era:
    return replace(era, low=low, high=high, last=min(era.last, high))


def history_of(
    store: Store, tenant: str, reference: str, *, since: datetime
) -> History:
    """Return a schedule's history from an instant on, also of a deleted one, by id.

    Raises ``NotFound``.
    """
    for _ in again("schedule"):
        found = store.schedules.find(tenant, reference)
        if found is None:
            return _gone(store, tenant, reference)
        history = told(store, found, since=since)
        if history is not None:
            return history
    raise AssertionError("unreachable")


def told(store: Store, schedule: Schedule, *, since: datetime) -> History | None:
    """Return a schedule's history, or ``None`` where it changed meanwhile."""
    versions = _versions(store, schedule.tenant, schedule.id, since=since)
    if versions:
        newest = versions[-1]
        known = (newest.revision, newest.held)
        if known != (schedule.revision, schedule.held):
            return None
    return History(schedule=schedule, versions=versions)


def _versions(
    store: Store, tenant: str, schedule: str, *, since: datetime
) -> tuple[Version, ...]:
    """Return the versions in force from ``since`` on, oldest first.

    With ``max_runs`` all of them, since what counted before has a say.
    """
    found: list[Version] = []
    until: datetime | None = None
    while len(found) < _MOST:
        page = store.schedules.versions(tenant, schedule, until=until, limit=_PAGE)
        found.extend(page)
        if len(page) < _PAGE:
            break
        until = page[-1].since
        bounded = any(each.definition.max_runs is not None for each in found)
        if until < since and not bounded:
            break
    return tuple(reversed(found))


def _gone(store: Store, tenant: str, reference: str) -> History:
    """Return the history of a deleted schedule, of which there is a run still."""
    query = RunQuery(schedule=reference)
    page = store.runs.page(tenant, query, limit=1, after=None)
    if not page.items:
        raise errors.NotFound("schedule", reference)
    versions = _versions(store, tenant, reference, since=page.items[0].created_at)
    if not versions:
        raise errors.NotFound("schedule", reference)
    newest = versions[-1]
    schedule = Schedule(
        id=reference,
        tenant=tenant,
        revision=newest.revision,
        definition=newest.definition,
        state=ScheduleState.FINISHED,
        cursor=None,
        occurrences=0,
        created_at=versions[0].since + MOMENT,
        updated_at=newest.since,
        held=newest.held,
        rules=newest.rules,
    )
    return History(schedule=schedule, versions=versions, deleted=True)
