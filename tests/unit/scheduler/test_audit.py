"""The audit finds what is missing, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from crony.model.run import Run
from crony.model.state import Origin, RunState
from crony.scheduler.audit import Findings
from crony.storage.memory.store import MemoryStore
from tests.unit.scheduler.stage import Stage
from tests.unit.scheduler.test_accounting import Accounting

FAR = timedelta(days=400)


def lose(store: MemoryStore, *runs: Run) -> None:
    """Remove records behind everybody's back."""
    for run in runs:
        del store._memory.runs[run.id]


def audited(stage: Stage, *, work: int = 7, limit: int = 2) -> Findings:
    """Audit all of the tenant's history, in small pieces."""
    whole = Findings()
    now = stage.clock.now()
    while True:
        found = stage.service.audit.span(
            "default",
            since=now - FAR,
            until=now + timedelta(milliseconds=1),
            limit=limit,
            after=whole.next,
            work=work,
        )
        whole.checked += found.checked
        whole.schedules += found.schedules
        whole.gaps += found.gaps
        whole.unverifiable += found.unverifiable
        whole.next = found.next
        if found.next is None:
            return whole


class Audited(Accounting):
    """Does everything to one schedule, and audits it now and then."""

    @rule()
    def someone_audits(self) -> None:
        found = audited(self.stage)
        assert found.gaps == []
        assert found.unverifiable == []

    @rule(place=st.integers(0, 10_000))
    def a_record_is_lost_and_found_missing(self, place: int) -> None:
        now = self.stage.clock.now()
        records = [
            run
            for run in self.stage.runs(self.schedule)
            if run.origin is Origin.SCHEDULE
            and run.state is not RunState.WITHDRAWN
            and run.scheduled_for < now
        ]
        if not records or self.deleted:
            return
        store = self.stage.store
        assert isinstance(store, MemoryStore)
        run = records[place % len(records)]
        kept = store._memory.runs[run.id]
        lose(store, run)
        gaps = audited(self.stage).gaps
        store._memory.runs[run.id] = kept
        # What had started ahead of an edit is due under no version any more.
        (gap,) = gaps or [None]
        if gap is None:
            assert run.started_at is not None
            assert run.started_at < run.scheduled_for
            return
        assert gap.schedule == run.schedule
        assert (gap.at, gap.until) == (run.scheduled_for, run.range_until)
        assert gap.count == run.range_count


Audited.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAudited = Audited.TestCase
