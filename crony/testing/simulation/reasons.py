"""Whether what did not run had the reason that stands in its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from crony.model.policy import ALL, LATEST, MISFIRE_AFTER
from crony.model.run import Run
from crony.model.schedule import Version
from crony.model.state import Reason, RunState
from crony.testing.simulation.checks import Checks
from crony.testing.simulation.faults import Violation


@dataclass(frozen=True, slots=True)
class Reasons:
    """What may be called paused, and what missed."""

    #: Instants say little about each other after the clock has stepped.
    stepped: bool

    def check(
        self, due: Mapping[datetime, Version], records: Sequence[Run], checks: Checks
    ) -> None:
        """Raise ``Violation`` for the first record that is not right."""
        for run in records:
            last = run.range_until or run.scheduled_for
            inside = [at for at in due if run.scheduled_for <= at <= last]
            if run.reason is Reason.PAUSED:
                self._paused(run, [due[at] for at in inside])
            elif run.state is RunState.MISSED:
                self._missed(run, due, last, checks)
            elif run.id not in checks.ahead and not run.catch_up:
                for at in inside:
                    if due[at].paused:
                        raise Violation("paused", f"{run.id} of {at} was to be skipped")

    def _paused(self, run: Run, versions: Sequence[Version]) -> None:
        # Within a stretch may lie one that was settled before the pause began.
        if run.range_until is None and not all(v.paused for v in versions):
            raise Violation("paused", f"{run.id} was skipped, and nothing was paused")

    def _missed(
        self,
        run: Run,
        due: Mapping[datetime, Version],
        last: datetime,
        checks: Checks,
    ) -> None:
        if self.stepped:
            return
        made = run.created_at
        if last < made - run.policy.misfire_window:
            return
        newer = any(last < at <= made for at in due)
        if run.policy.misfire == ALL or (run.policy.misfire == LATEST and not newer):
            raise Violation("misfire", f"{run.id} was missed, and should have run")
        ticks = sorted(checks.ticks)
        gap = any(
            before <= last <= after and after - before >= MISFIRE_AFTER
            for before, after in pairwise([*ticks, made])
        )
        if not gap and made - last < MISFIRE_AFTER:
            raise Violation("misfire", f"{run.id} was missed, and somebody ticked")
