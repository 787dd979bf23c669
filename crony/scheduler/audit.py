"""The audit: every occurrence that was due has a record, or this tells which has not.

What was due is worked out again from each schedule's versions, so that nothing that
the scheduler itself believes has a say, save how far it says it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crony import errors
from crony.clock import MOMENT, Clock, cut
from crony.model import ids
from crony.scheduler.accounts import Account, Beyond, Entry
from crony.scheduler.eras import Era, History, history_of
from crony.scheduler.ledger import instant_of
from crony.storage.contract import Position, ScheduleQuery, Store

#: How far back an audit looks where it is not said.
SPAN = timedelta(days=1)

#: So many entries are looked at in one request, gaps and all.
WORK = 5_000

#: Why a part of a span can't be verified.
PRUNED = "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Occurrences that were due and stand in no record."""

    schedule: str
    at: datetime
    #: The last of them, inclusive; ``None`` for a single one.
    until: datetime | None
    count: int
    revision: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverifiable:
    """A span, both ends inclusive, of which it can't be told what was due or is left.

    ``why`` is ``pruned``, or a word of ``Doubt``.
    """

    schedule: str
    since: datetime
    until: datetime
    why: str


@dataclass(slots=True)
class Findings:
    """What an audit found; ``next`` is where it goes on, ``None`` at the end."""

    checked: int = 0
    schedules: int = 0
    gaps: list[Gap] = field(default_factory=list)
    unverifiable: list[Unverifiable] = field(default_factory=list)
    next: Position | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an audit goes on: after a schedule, in the next one from an instant on."""

    after: Position | None = None
    schedule: str | None = None
    instant: datetime | None = None

    def position(self) -> Position:
        value, last = self.after or (None, "")
        if self.schedule is None or self.instant is None:
            return value, last
        return value, f"{last} {self.schedule} {ids.milliseconds(self.instant)}"

    @classmethod
    def of(cls, position: Position | None) -> _Place:
        if position is None:
            return cls()
        value, text = position
        last, _, within = text.partition(" ")
        after = (value, last) if last else None
        if not within:
            return cls(after)
        schedule, _, instant = within.partition(" ")
        number = int(instant[:20]) if instant.isdecimal() else None
        return cls(after, schedule, instant_of(number))


class Audit:
    """Looks for occurrences without a record."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def span(
        self,
        tenant: str,
        *,
        schedule: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int,
        after: Position | None = None,
        work: int = WORK,
    ) -> Findings:
        """Audit a span, ``since`` inclusive and ``until`` exclusive, up to now.

        Of one schedule, or of all that the tenant has, at most ``limit`` of them and
        ``work`` entries in one go. Raises ``NotFound``.
        """
        now = cut(self._clock.now())
        # What is due this moment may be settled already.
        latest = now + MOMENT
        end = min(until or latest, latest)
        start = since if since is not None else min(end, now) - SPAN
        place = _Place.of(after)
        look = _Look(self._store, start=start, end=end - MOMENT, now=now, work=work)
        if schedule is not None:
            found = history_of(self._store, tenant, schedule, since=start)
            look.at(found, place, before=None)
            return look.findings
        page = self._store.schedules.page(
            tenant, ScheduleQuery(), limit=limit, after=place.after
        )
        before = place.after
        for each in page.items:
            if look.full:
                look.findings.next = _Place(before).position()
                return look.findings
            # Gone meanwhile: its end left nothing open.
            with suppress(errors.NotFound):
                found = history_of(self._store, tenant, each.id, since=start)
                if not look.at(found, place, before=before):
                    return look.findings
            before = (ids.milliseconds(each.created_at), each.id)
        look.findings.next = page.next and _Place(page.next).position()
        return look.findings


class _Look:
    """Goes through schedules until it is enough for one request."""

    def __init__(
        self, store: Store, *, start: datetime, end: datetime, now: datetime, work: int
    ) -> None:
        self.findings = Findings()
        self._store = store
        self._start, self._end, self._now = start, end, now
        self._work = work

    @property
    def full(self) -> bool:
        """Whether as much was looked at as is allowed."""
        return self._work < 1

    def at(self, history: History, place: _Place, *, before: Position | None) -> bool:
        """Look at a schedule; return whether all of it was looked at.

        Else the findings say where it goes on. ``before`` is the place before it.
        """
        schedule = history.schedule.id
        again = place.instant if schedule == place.schedule else None
        start = again or self._start
        if start <= self._end:
            account = Account(
                self._store, history, start=start, end=self._end, now=self._now
            )
            if again is None:
                self._doubts(schedule, account.eras)
            for entry in account.entries():
                if self.full:
                    stopped = _Place(before, schedule, entry.at)
                    self.findings.next = stopped.position()
                    return False
                self._work -= 1
                self._enter(schedule, entry)
        self.findings.schedules += 1
        return True

    def _enter(self, schedule: str, entry: Entry) -> None:
        found = self.findings
        if entry.run is not None:
            found.checked += entry.count
        elif entry.state is Beyond.UNRECORDED:
            found.checked += entry.count
            found.gaps.append(
                Gap(
                    schedule=schedule,
                    at=entry.at,
                    until=entry.until,
                    count=entry.count,
                    revision=entry.revision,
                )
            )
        elif entry.state is Beyond.PRUNED:
            found.unverifiable.append(
                Unverifiable(
                    schedule=schedule, since=entry.at, until=entry.last, why=PRUNED
                )
            )

    def _doubts(self, schedule: str, eras: Iterable[Era]) -> None:
        for era in eras:
            if era.doubt is not None:
                self.findings.unverifiable.append(
                    Unverifiable(
                        schedule=schedule,
                        since=era.low,
                        until=era.high,
                        why=era.doubt.value,
                    )
                )
