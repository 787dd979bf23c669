"""Takes leases in: a slot and a runner for each, and a place among those to start."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import partial

from crony import log
from crony.model.task import JsonObject
from crony.worker import outbox, reading, reports
from crony.worker.courier import Courier
from crony.worker.lease import Lease
from crony.worker.outbox import Outbox
from crony.worker.roster import Roster
from crony.worker.runner import Crew, Runner
from crony.worker.starter import Starter
from crony.worker.tasks.workshop import Workshop

_log = log.get(__name__)


class Intake:
    """What the poller asks, and whom it gives leases to."""

    def __init__(
        self,
        roster: Roster,
        starter: Starter,
        box: Outbox,
        courier: Courier,
        *,
        workshop: Workshop,
        crew: Crew,
    ) -> None:
        self._roster = roster
        self._starter = starter
        self._outbox = box
        self._courier = courier
        self._workshop = workshop
        self._crew = crew
        # Runs that end at once, as those do that began at once, are concluded by a few
        # at a time: all of them together would keep the processor from what starts.
        self._turns = threading.Semaphore(len(os.sched_getaffinity(0)))

    def slots(self) -> int:
        """Return how many leases may be asked for."""
        return 0 if self._outbox.full else self._roster.free()

    def holding(self) -> Sequence[tuple[str, int]]:
        """Return every lease that is held; the outbox holds those that ended."""
        return (*self._roster.keys(), *self._outbox.keys())

    def take(self, leases: Sequence[Lease]) -> None:
        """Prepare these runs; what can't be taken is left for another offer."""
        runners = []
        for lease in leases:
            try:
                runner = self._roster.add(lease, partial(self._runner, lease))
            except OSError as exc:
                _log.error(
                    "no descriptor for a run", run=lease.run, detail=exc.strerror
                )
                continue
            if runner is not None and self._started(runner):
                runners.append(runner)
        self._starter.add(runners)

    def _runner(self, lease: Lease, slot: int) -> Runner:
        return Runner(
            lease,
            slot=slot,
            workshop=self._workshop,
            crew=self._crew,
            turns=self._turns,
        )

    def _started(self, runner: Runner) -> bool:
        try:
            runner.start()
        except RuntimeError:
            _log.error("no thread for a run", run=runner.lease.run)
            self._roster.remove(runner)
            return False
        return True

    def refuse(self, lease: JsonObject, reason: str) -> None:
        """Report a lease that can't be read: left alone, it would come for ever."""
        run, token = reading.text(lease, "run"), reading.integer(lease, "token")
        _log.error("lease not understood", run=run, detail=reason)
        item = reports.not_understood(run, token, reason)
        self._outbox.put(outbox.entry_of((run, token), [item]))
        self._courier.hurry()
