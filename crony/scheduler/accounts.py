"""How each occurrence of a schedule ended, or what keeps it from being told.

What was due is worked out again from the schedule's versions and laid beside the
records. What is due and stands in no record is still to come, or was pruned, or is a
gap: something that must not be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crony.clock import MOMENT
from crony.model.moving import Pruned
from crony.model.run import Run
from crony.model.state import Origin, Reason, RunState
from crony.scheduler.eras import Era, History
from crony.scheduler.stretches import Stretch
from crony.storage.contract import Page, Position, RunQuery, Store

#: So many records are read at once,
_PAGE = 200
#: and so many occurrences worked out.
_CHUNK = 100

#: What may stand for an occurrence; a withdrawn run does not.
_RECORDS = frozenset(RunState) - {RunState.WITHDRAWN}

#: Records are counted one by one only where there are no more than this.
_COUNTABLE = 10_000


class Beyond(StrEnum):
    """How an occurrence stands that no record stands for.

    ``due``: its instant has come, and nothing ticked since. ``unrecorded``: it was
    settled, and its record is not there.
    """

    UPCOMING = "upcoming"
    DUE = "due"
    PRUNED = "pruned"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An occurrence, or a stretch of them up to ``until`` (inclusive).

    ``run`` is its record, as a summary.
    """

    at: datetime
    until: datetime | None = None
    count: int = 1
    state: RunState | Beyond
    reason: Reason | None = None
    run: Run | None = None
    revision: int | None

    @property
    def last(self) -> datetime:
        """The last instant that it stands for."""
        return self.until or self.at


class Account:
    """The occurrences of one schedule in a span, both ends inclusive."""

    def __init__(
        self,
        store: Store,
        history: History,
        *,
        start: datetime,
        end: datetime,
        now: datetime,
    ) -> None:
        self._store = store
        self._history = history
        self._schedule = history.schedule
        self._start = start
        self._end = end
        self._now = now
        self._eras = history.eras(start, end)
        self._pruned: Pruned | None = None
        self._complete: bool | None = None

    @property
    def eras(self) -> list[Era]:
        """The eras that fill the span."""
        return self._eras

    def entries(self) -> Iterator[Entry]:
        """Yield all that was due in the span, in order, each occurrence once."""
        records = self._records()
        record = next(records, None)
        low = self._start
        for era in self._eras:
            low = max(low, era.low)
            while record is not None and record.scheduled_for <= era.high:
                yield from self._without(era, low, record.scheduled_for - MOMENT)
                yield of_record(record)
                low = max(low, (record.range_until or record.scheduled_for) + MOMENT)
                record = next(records, None)
            yield from self._without(era, low, era.high)

    def _records(self) -> Iterator[Run]:
        before = self._store.runs.standing_at(
            self._schedule.tenant, self._schedule.id, self._start - MOMENT
        )
        if before is not None and (before.range_until or before.scheduled_for) >= (
            self._start
        ):
            yield before
        query = RunQuery(
            schedule=self._schedule.id,
            origin=Origin.SCHEDULE,
            states=_RECORDS,
            oldest_first=True,
            since=self._start,
            until=self._end + MOMENT,
        )
        after: Position | None = None
        while True:
            page = self._page(query, after)
            yield from page.items
            after = page.next
            if after is None:
                return

    def _page(self, query: RunQuery, after: Position | None) -> Page[Run]:
        tenant = self._schedule.tenant
        return self._store.runs.page(tenant, query, limit=_PAGE, after=after)

    # What no record stands for.

    def _without(self, era: Era, low: datetime, high: datetime) -> Iterator[Entry]:
        """Yield what is due from ``low`` to ``high`` and stands in no record."""
        if self._history.deleted:
            # When it was deleted is not kept, so that nothing is known to be due.
            return
        low, high = max(low, era.low), min(high, era.last)
        if era.first(low, high) is None:
            return
        cursor = self._schedule.cursor
        settled = self._now
        if cursor is not None:
            settled = min(settled, cursor - MOMENT)
        yield from self._settled(era, low, min(high, settled))
        low = max(low, settled + MOMENT)
        if cursor is not None:
            yield from self._open(era, low, min(high, self._now))
            yield from self._upcoming(era, max(low, self._now + MOMENT), high)

    def _settled(self, era: Era, low: datetime, high: datetime) -> Iterator[Entry]:
        """Yield what there was a record of."""
        found = era.due(low, high)
        if found is None:
            return
        # Read after the records: what is missing there is counted here.
        if self._pruned is None or self._pruned.until < found.last:
            self._pruned = self._read_pruned()
        if self._pruned is not None:
            until = min(high, self._pruned.until)
            yield from _entries(era, low, until, Beyond.PRUNED)
            low = max(low, until + MOMENT)
        if era.doubt is None and not self._all_there():
            yield from _entries(era, low, high, Beyond.UNRECORDED)

    def _all_there(self) -> bool:
        """Return whether as many occurrences are recorded as were counted.

        With ``max_runs`` it depends on those before which the last ones were, and a
        run that had started ahead of an edit is in no version's count.
        """
        if not self._history.bounded:
            return False
        if self._complete is None:
            self._complete = self._counted() >= self._schedule.occurrences
        return self._complete

    def _read_pruned(self) -> Pruned | None:
        return self._store.runs.pruned(self._schedule.tenant, self._schedule.id)

    def _counted(self) -> int:
        """Return for how many occurrences there are records, or were."""
        pruned = self._read_pruned()
        number = sum(pruned.occurrences.values()) if pruned else 0
        query = RunQuery(
            schedule=self._schedule.id, origin=Origin.SCHEDULE, states=_RECORDS
        )
        after: Position | None = None
        for _ in range(_COUNTABLE // _PAGE):
            page = self._page(query, after)
            number += sum(run.range_count for run in page.items)
            after = page.next
            if after is None:
                break
        return number

    def _open(self, era: Era, low: datetime, high: datetime) -> Iterator[Entry]:
        """Yield what has come due and is not settled yet."""
        if self._schedule.paused:
            # It is written down when the pause ends.
            yield from _entries(era, low, high, RunState.SKIPPED, Reason.PAUSED)
        else:
            yield from _entries(era, low, high, Beyond.DUE)

    def _upcoming(self, era: Era, low: datetime, high: datetime) -> Iterator[Entry]:
        """Yield what is to come, one by one: it may go on for ever."""
        reason = Reason.PAUSED if self._schedule.paused else None
        high = min(high, era.last)
        while era.calendar is not None and low <= high:
            instants = era.calendar.between(low - MOMENT, high, limit=_CHUNK)
            for at in instants:
                yield Entry(
                    at=at,
                    state=Beyond.UPCOMING,
                    reason=reason,
                    revision=_revision(era),
                )
            if len(instants) < _CHUNK:
                return
            low = instants[-1] + MOMENT


def of_record(run: Run) -> Entry:
    """Return what a record says."""
    return Entry(
        at=run.scheduled_for,
        until=run.range_until,
        count=run.range_count,
        state=run.state,
        reason=run.reason,
        run=run,
        revision=run.revision,
    )


def _entries(
    era: Era,
    low: datetime,
    high: datetime,
    state: RunState | Beyond,
    reason: Reason | None = None,
) -> Iterator[Entry]:
    found: Stretch | None = era.due(low, high)
    if found is not None:
        yield Entry(
            at=found.first,
            until=found.last if found.count > 1 else None,
            count=found.count,
            state=state,
            reason=reason,
            revision=_revision(era),
        )


def _revision(era: Era) -> int | None:
    return era.version.revision if era.version else None
