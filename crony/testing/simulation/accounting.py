"""The books at the end of a history: what was due, what stands there, what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from crony.clock import Clock
from crony.model.hook import HookKind
from crony.model.run import Run
from crony.model.schedule import Version
from crony.model.state import AttemptState, Origin, RunState
from crony.scheduler.audit import Audit
from crony.storage.contract import RunQuery, Store
from crony.testing.simulation.calendar import occurrences
from crony.testing.simulation.checks import Checks
from crony.testing.simulation.faults import Violation
from crony.testing.simulation.mirror import TENANT, Mirror
from crony.testing.simulation.people import People
from crony.testing.simulation.reasons import Reasons
from crony.testing.simulation.witness import Witness

_EVER = datetime.max.replace(tzinfo=UTC)
_FAULTS = (AttemptState.FAILED, AttemptState.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class Books:
    """All that is compared."""

    store: Store
    mirror: Mirror
    checks: Checks
    people: People
    witness: Witness
    reasons: Reasons

    def close(self, clock: Clock) -> None:
        """Raise ``Violation`` for the first thing that does not agree."""
        runs = self._runs()
        by_schedule: dict[str, list[Run]] = {}
        for run in runs.values():
            by_schedule.setdefault(run.schedule, []).append(run)
        self._made(runs)
        self._events(runs)
        for event in self.mirror.events:
            if event.type == "schedule.created":
                self._schedule(event.subject, by_schedule.get(event.subject, []))
        for run in runs.values():
            self._hooks(run, by_schedule[run.schedule])
            self._executed(run)
        self._audit(clock)

    def _runs(self) -> dict[str, Run]:
        query = RunQuery()
        found: list[Run] = []
        page = self.store.runs.page(TENANT, query, limit=500, after=None)
        found.extend(page.items)
        while page.next is not None:
            page = self.store.runs.page(TENANT, query, limit=500, after=page.next)
            found.extend(page.items)
        return {run.id: run for run in found}

    def _made(self, runs: Mapping[str, Run]) -> None:
        created = {e.subject for e in self.mirror.events if e.type.endswith(".created")}
        for schedule in self.people.made - created:
            raise Violation("durable", f"{schedule} was acknowledged, and is not there")
        for run in self.people.triggered - runs.keys():
            raise Violation("durable", f"{run} was acknowledged, and is not there")

    def _events(self, runs: Mapping[str, Run]) -> None:
        told_of = self.mirror.runs
        # The pruner forgets those that will never be due again.
        gone = {id for id, run in told_of.items() if run.state is RunState.WITHDRAWN}
        odd = sorted((runs.keys() ^ told_of.keys()) - (gone - runs.keys()))
        if odd:
            raise Violation("events", f"events and runs differ in {odd[:5]}")
        for run in runs.values():
            told = self.mirror.runs[run.id]
            if (run.state, run.token) != (told.state, told.token):
                raise Violation("events", f"{run.id} is {run.state}, told {told.state}")

    # Occurrences.

    def _schedule(self, id: str, runs: list[Run]) -> None:
        versions = list(
            self.store.schedules.versions(TENANT, id, until=None, limit=500)
        )[::-1]
        if not versions:
            return  # deleted, and without a run
        found = self.store.schedules.find(TENANT, id)
        until = self._end(id)
        created_at = next(
            e.at for e in self.mirror.events if e.subject == id and "created" in e.type
        )
        if until is None:
            if found is None:
                raise Violation("durable", f"{id} went by itself")
            if found.cursor is not None:
                raise Violation("accounted", f"{id} has its cursor at {found.cursor}")
            # Whatever the clock showed: all had an end, and has come to it.
            until = _EVER
        if versions[-1].revision < self.people.revisions.get(id, 0):
            raise Violation("durable", f"{id} has lost a revision")
        due = occurrences(versions, created_at=created_at, until=until)
        records = [
            run
            for run in runs
            if run.origin is Origin.SCHEDULE and run.state is not RunState.WITHDRAWN
        ]
        self._accounted(id, due, records)
        self.reasons.check(due, records, self.checks)

    def _end(self, schedule: str) -> datetime | None:
        """Return when a schedule was deleted."""
        for event in self.mirror.events:
            if event.subject == schedule and event.type == "schedule.deleted":
                return event.at
        return None

    def _accounted(
        self, id: str, due: Mapping[datetime, Version], records: list[Run]
    ) -> None:
        counts: Counter[datetime] = Counter()
        extra: list[Run] = []
        for run in records:
            if run.range_until is None:
                counts[run.scheduled_for] += 1
                if run.scheduled_for not in due:
                    extra.append(run)
        for run in records:
            if run.range_until is not None:
                self._range(run, due, counts)
        for instant in due:
            if counts[instant] != 1:
                raise Violation(
                    "accounted",
                    f"{id}: {instant:%d. %H:%M:%S.%f} has {counts[instant]} records",
                )
        for run in extra:
            if run.id not in self.checks.ahead:
                raise Violation(
                    "accounted", f"{id}: {run.id} of {run.scheduled_for} was not due"
                )

    def _range(
        self, run: Run, due: Mapping[datetime, Version], counts: Counter[datetime]
    ) -> None:
        assert run.range_until is not None
        inside = [
            instant
            for instant in due
            if run.scheduled_for <= instant <= run.range_until and not counts[instant]
        ]
        if len(inside) != run.range_count:
            raise Violation(
                "accounted",
                f"{run.id} stands for {run.range_count} from {run.scheduled_for} to "
                f"{run.range_until}, and {len(inside)} have no other record",
            )
        counts.update(inside)

    # What followed, and what executed.

    def _hooks(self, run: Run, all_of_it: list[Run]) -> None:
        if not run.hooks:
            return
        whole = self.store.runs.find(TENANT, run.id)
        assert whole is not None
        owed: Counter[tuple[HookKind, int]] = Counter()
        for attempt in whole.attempts:
            lost_it = (
                attempt.state is AttemptState.LOST
                and run.state is RunState.FAILED
                and attempt.number == run.attempt
            )
            if (attempt.state in _FAULTS or lost_it) and HookKind.ERROR in run.hooks:
                owed[HookKind.ERROR, attempt.number] += 1
        if run.state is RunState.SUCCEEDED and HookKind.SUCCESS in run.hooks:
            owed[HookKind.SUCCESS, run.attempt] += 1
        made: Counter[tuple[HookKind, int]] = Counter()
        for other in all_of_it:
            if other.parent == run.id and other.hook not in (None, HookKind.PROGRESS):
                assert other.hook is not None
                made[other.hook, other.hook_attempt or 0] += 1
        deleted = self._end(run.schedule) is not None
        if made != owed and not (deleted and made <= owed):
            raise Violation("hooks", f"{run.id} owed {owed}, got {made}")

    def _executed(self, run: Run) -> None:
        starts = self.witness.starts[run.id]
        if run.state is RunState.SUCCEEDED and not starts:
            raise Violation("witness", f"{run.id} succeeded and never executed")
        if run.policy.delivery == "at_most_once" and starts > 1:
            raise Violation("at_most_once", f"{run.id} executed {starts} times")
        for execution in self.witness.alive(run.id):
            raise Violation("witness", f"{run.id} goes on at {execution.worker}")

    def _audit(self, clock: Clock) -> None:
        after = None
        while True:
            found = Audit(self.store, clock).span(
                TENANT,
                since=min(e.at for e in self.mirror.events),
                limit=100,
                after=after,
            )
            for gap in found.gaps:
                raise Violation("audit", f"it finds a gap that is none: {gap}")
            if found.next is None:
                return
            after = found.next
