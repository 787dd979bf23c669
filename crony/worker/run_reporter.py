"""What becomes of a run's news: output is carried, its end is kept, its slot freed."""

from __future__ import annotations

from collections.abc import Callable

from crony import errors, log
from crony.worker import outbox, reports
from crony.worker.courier import Courier
from crony.worker.live import rest_of
from crony.worker.outbox import Outbox
from crony.worker.outcome import Outcome
from crony.worker.roster import Roster
from crony.worker.runner import Crew, Runner

_log = log.get(__name__)


class RunReporter(Crew):
    """The crew of every run of this worker; ``broken`` ends the program."""

    def __init__(
        self,
        box: Outbox,
        courier: Courier,
        roster: Roster,
        *,
        sandbox_level: str,
        broken: Callable[[errors.CronyError], None],
    ) -> None:
        self._outbox = box
        self._courier = courier
        self._roster = roster
        self._sandbox_level = sandbox_level
        self._broken = broken

    def printed(self, runner: Runner) -> None:
        self._courier.live.printed(runner)

    def ended(self, runner: Runner, outcome: Outcome | None) -> None:
        self._courier.live.forget(runner)
        if outcome is None:
            _log.info("run given up")
            return
        level = "none" if "http" in runner.lease.task else self._sandbox_level
        final = reports.final(runner.lease, outcome, sandbox_level=level)
        items = reports.closing(rest_of(runner), final)
        # From here on the outbox holds the lease, until the service has the report.
        self._outbox.put(
            outbox.entry_of(runner.lease.key, items, ended_at=runner.ended_at)
        )
        self._courier.hurry()
        _log.info(
            "run ended",
            state=outcome.state.value,
            duration=outcome.duration,
            lateness=outcome.lateness,
        )

    def left(self, runner: Runner) -> None:
        self._roster.remove(runner)

    def broken(self, cause: errors.MissingSafeguard) -> None:
        self._broken(cause)
