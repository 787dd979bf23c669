"""A run whose preparation goes wrong: what its crew hears of it."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from crony import clock, errors
from crony.model.state import AttemptState, Reason
from crony.worker.lease import Exchange, Lease
from crony.worker.outcome import Outcome
from crony.worker.runner import Crew, Runner
from crony.worker.tasks.workshop import Workshop
from crony.worker.work import Work
from tests.unit.worker.factories import ZERO, lease


class Broken:
    """A workshop that fails to prepare anything."""

    def __init__(self, exc: Exception) -> None:
        self._exc = exc

    def prepare(self, lease: Lease, *, slot: int) -> Work:
        """Raise."""
        raise self._exc


class Listener(Crew):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome | None] = []
        self.failure: errors.MissingSafeguard | None = None
        self.done = threading.Event()

    def printed(self, runner: Runner) -> None:
        pass

    def ended(self, runner: Runner, outcome: Outcome | None) -> None:
        self.outcomes.append(outcome)

    def left(self, runner: Runner) -> None:
        self.done.set()

    def broken(self, cause: errors.MissingSafeguard) -> None:
        self.failure = cause


def heard_of(exc: Exception) -> Listener:
    """Return what is heard of a run whose preparation raises."""
    crew = Listener()
    now = clock.boottime()
    fresh = lease(exchange=Exchange(now, ZERO, now))
    Runner(fresh, slot=0, workshop=cast(Workshop, Broken(exc)), crew=crew).start()
    assert crew.done.wait(10)
    return crew


@pytest.mark.parametrize(
    ("exc", "text"),
    [
        (errors.SandboxFailed("no memory for it"), "no memory for it"),
        (
            RuntimeError("can't start new thread, says the platform"),
            "the worker could not prepare the task (RuntimeError); its log says more",
        ),
    ],
)
def test_a_run_that_cannot_be_prepared_is_reported_and_not_lost(
    exc: Exception, text: str
) -> None:
    (outcome,) = heard_of(exc).outcomes
    assert outcome is not None
    assert outcome.state is AttemptState.FAILED
    assert outcome.reason is Reason.START_FAILED
    assert outcome.error == text


def test_a_missing_safeguard_ends_the_worker_and_not_the_run() -> None:
    crew = heard_of(errors.MissingSafeguard("the watchdog is gone"))
    assert crew.outcomes == [None]
    assert crew.failure is not None
