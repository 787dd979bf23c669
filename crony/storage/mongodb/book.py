"""A tenant's runs, and its schedules with them, as one verb reads and changes them.

Runs change by ``put`` alone: so no event of a change can be forgotten, no number is
wrong, and nothing that hangs on a run's state stays behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import cast

from crony.model.lease import Standing
from crony.model.run import Run
from crony.model.state import HELD, Origin, RunState
from crony.storage import changes, rules
from crony.storage.codec import cut
from crony.storage.documents import Document
from crony.storage.mongodb import events, kinds, lanes, records, tallies
from crony.storage.mongodb.matching import Filter, matches
from crony.storage.mongodb.records import Keeping, Pulse, Record
from crony.storage.mongodb.schedule_book import ScheduleBook
from crony.storage.mongodb.work import Work


class Book:
    """What is read is kept for as long as the verb lasts."""

    def __init__(self, work: Work) -> None:
        self.work = work
        #: The schedules in which admission may be another one.
        self.touched: set[str] = set()
        self.schedules = ScheduleBook(work, touched=self.touched)
        self._records: dict[str, Record | None] = {}
        #: The documents of runs, as they are now.
        self._documents: dict[str, tuple[Run, Document]] = {}
        #: Changed runs, with whether they were offered before.
        self._offered: dict[str, bool] = {}

    def load(self, runs: Iterable[str]) -> None:
        """Read runs that are needed soon, all at once."""
        unread = [run for run in dict.fromkeys(runs) if run not in self._records]
        found = self.work.get_all(kinds.RUNS, unread)
        for run in unread:
            document = found.get(run)
            self._records[run] = None if document is None else self._met(document)

    def _met(self, document: Document) -> Record:
        record = records.record_in(document)
        self._documents[record.run.id] = (record.run, document)
        return record

    def record(self, run: str) -> Record | None:
        """Return a run as it is now."""
        if run not in self._records:
            self.load([run])
        return self._records[run]

    def run(self, run: str) -> Run | None:
        """Return a run as it is now, without what the store knows of it."""
        found = self.record(run)
        return None if found is None else found.run

    def keeping(self, run: Run) -> Keeping:
        """Return what the store knows of a run that is there."""
        found = self.record(run.id)
        if found is None:
            raise AssertionError(f"{run.id} is not there")
        return found.keeping

    def find(
        self,
        where: Filter,
        *,
        sort: list[tuple[str, int]] | None = None,
        limit: int | None = None,
        index: str | None = None,
    ) -> list[Record]:
        """Return the runs that say this, as they are now."""
        documents = self.work.find(
            kinds.RUNS, where, sort=sort or (), limit=limit, index=index
        )
        return [self._of(document) for document in documents]

    def changed(self, where: Filter) -> dict[str, list[Document]]:
        """Return the runs that this verb changed and that say this, by schedule."""
        found: dict[str, list[Document]] = {}
        for name in self._offered:
            document = self.work.get(kinds.RUNS, name)
            if document is not None and matches(document, where):
                found.setdefault(cast("str", document["schedule"]), []).append(document)
        return found

    def _of(self, document: Document) -> Record:
        """Return the record of a document that was found, as it is now."""
        name = cast("str", document["id"])
        known = self._records.get(name)
        if known is None:
            known = self._records[name] = self._met(document)
        return known

    def put(self, run: Run, *, now: datetime, **changed: object) -> Record:
        """Keep a run as it is now, and leave the events of what changed.

        ``changed`` is what else the store knows of it from now on. What is not held
        any more has no lease, and so on for all that goes with a state.
        """
        before = self.record(run.id)
        keeping = (
            Keeping(lane=lanes.lane_out(run, self.schedules.definition_of(run)))
            if before is None
            else before.keeping
        )
        keeping = replace(keeping, **changed)  # type: ignore[arg-type]  # its members
        keeping = _following(before, run, keeping, now=now)
        if before is not None and (
            (before.run.revision, before.run.group, before.run.queue)
            != (run.revision, run.group, run.queue)
        ):
            lane = lanes.lane_out(run, self.schedules.definition_of(run))
            keeping = replace(keeping, lane=lane)
        return self._put(before, Record(run, keeping), now=now)

    def _put(self, before: Record | None, record: Record, *, now: datetime) -> Record:
        run = record.run
        self._keep(record)
        self.touched.add(run.schedule)
        was = None if before is None else before.run
        tallies.of_run(self.work, was, run)
        ended = changes.told_end(was, run)
        if ended is not None:
            self.tell_run(ended.value, run, now=now)
        if was is None or was.state is not run.state:
            self.tell_run(run.state.value, run, now=now)
        return record

    def keep(self, record: Record) -> None:
        """Keep a run whose state is as before; nothing is told."""
        self._keep(record)

    def _keep(self, record: Record) -> None:
        name = record.run.id
        before = self._records.get(name)
        self._offered.setdefault(name, before is not None and before.offered)
        self._records[name] = record
        known, document = self._documents.get(name, (None, None))
        # PERF: as it is of the same run, where only the store knows something new.
        document = records.record_out(record, document if known is record.run else None)
        self._documents[name] = (record.run, document)
        self.work.put(kinds.RUNS, name, document)

    def remove(self, run: Run) -> None:
        """Forget a run that is over or withdrawn."""
        self._records[run.id] = None
        self.work.delete(kinds.RUNS, run.id)

    def lines(self) -> set[tuple[str, str]]:
        """Return the lines of runs that are offered, and were not before the verb."""
        lines = set()
        for name, was_offered in self._offered.items():
            record = self._records[name]
            if record is not None and record.offered and not was_offered:
                lines.add((self.work.tenant, record.run.queue))
        return lines

    def tell_run(self, word: str, run: Run, *, now: datetime) -> None:
        """Leave the event ``run.<word>`` of a run as it is kept."""
        document = self.work.get(kinds.RUNS, run.id)
        if document is None:
            raise AssertionError(f"{run.id} is told of and not there")
        events.leave(
            self.work,
            f"run.{word}",
            run.id,
            schedule=run.schedule,
            run=records.summary_out(document),
            now=now,
        )

    def known(self, worker: str, run: str, token: int) -> Record | None:
        """Return the run, if this worker was ever given this token of it."""
        found = self.record(run)
        if found is None or self.work.get(kinds.WORKERS, worker) is None:
            return None
        return found if found.keeping.granted(token) == worker else None

    def standing(self, worker: str, run: str, token: int) -> Standing:
        """Return what a write about a running attempt meets."""
        found = self.known(worker, run, token)
        if found is None:
            return Standing.UNKNOWN
        attempt = found.run.attempt_under(token)
        return rules.running_standing(
            token,
            current=found.run.token,
            state=found.run.state,
            was=None if attempt is None else attempt.state,
        )


def _following(
    before: Record | None, run: Run, keeping: Keeping, *, now: datetime
) -> Keeping:
    """Return what follows from a run's state."""
    pending = run.state is RunState.PENDING
    held = run.state in HELD
    return replace(
        keeping,
        admitted=held or (pending and (keeping.admitted or run.origin is Origin.HOOK)),
        waiting=pending and run.available_at > cut(now),
        lease=keeping.lease if held else None,
        reserved=keeping.reserved if pending else None,
        pulse=_pulse(before, run, keeping),
    )


def _pulse(before: Record | None, run: Run, keeping: Keeping) -> Pulse | None:
    """Let the progress hook of an attempt begin, or end, with it."""
    if run.state is not RunState.RUNNING:
        return None
    first = None if before is None else rules.first_pulse(before.run.state, run)
    return keeping.pulse if first is None else Pulse(next_at=first)


def standing_of(work: Work, worker: str, run: str, token: int) -> Standing:
    """Return what output of an attempt meets that its worker sends."""
    book = Book(work)
    found = book.known(worker, run, token)
    if found is None:
        return Standing.UNKNOWN
    if token == found.run.token and found.run.state in HELD:
        return Standing.ACCEPTED
    return book.standing(worker, run, token)
