"""Runs are let go at their instant, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from crony.client import Client
from crony.worker.outcome import StopCause
from crony.worker.runner import Runner
from crony.worker.starter import Starter
from tests.unit.worker.factories import ZERO, lease, seconds


class Confirming:
    """A service that confirms everything."""

    def reports(self, items: Sequence[object], *, timeout: timedelta) -> object:
        """Answer each with 200."""
        return {"results": [{"status": 200} for _ in items]}


class Prepared:
    """A run that stands at its gate, and may break when it is let go."""

    waiting = True

    def __init__(self, name: str, *, breaks: bool = False) -> None:
        self.lease = lease(run=name)
        self.start_at = ZERO
        self.stopped: StopCause | None = None
        self.started = False
        self.woken = False
        self._breaks = breaks

    def confirm(self, *, start_at: timedelta, expires_at: timedelta | None) -> None:
        self.waiting = False

    def let_go(self) -> bool:
        if self._breaks:
            raise OSError("too many open files")
        self.started = True
        return True

    def stop(self, cause: StopCause) -> None:
        self.stopped = cause

    def wake(self) -> None:
        self.woken = True


def test_a_run_that_breaks_when_it_is_let_go_holds_up_no_other() -> None:
    broken, sound = Prepared("run_1", breaks=True), Prepared("run_2")
    starter = Starter(cast(Client, Confirming()), boottime=lambda: seconds(1))
    starter.add([cast(Runner, broken), cast(Runner, sound)])
    starter.confirm_due()
    assert sound.started
    assert sound.woken
    # Nobody knows whether it has started: it is killed, and counts as lost.
    assert broken.stopped is StopCause.LOST
