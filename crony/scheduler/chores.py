"""Chores: what has to be done now and then, by whoever, and never holds up a tick."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from crony import errors, log
from crony.clock import Clock

_log = log.get(__name__)

#: How long to wait after a round, and after one that left something to do.
_IDLE = timedelta(seconds=1)
_PAUSE = timedelta(milliseconds=50)

#: Does a little; returns whether there is more to do at once.
Chore = Callable[[datetime], bool]


class Chores:
    """Goes through the chores again and again, on a thread of its own.

    Each process does them for itself; a chore that one process at a time is enough
    for takes a duty.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._chores: list[Chore] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, chore: Chore) -> None:
        """Do this too; before ``start``."""
        self._chores.append(chore)

    def step(self, now: datetime) -> bool:
        """Do each once; return whether one of them has more to do at once."""
        if self._clock.held():
            # By that time all would be taken for old.
            return False
        return sum(_done(chore, now) for chore in self._chores) > 0

    def start(self) -> None:
        """Go on from now, until ``stop``."""
        self._thread = threading.Thread(
            target=self._run, name="crony-chores", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Finish the round."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            more = self.step(self._clock.now())
            self._stopping.wait((_PAUSE if more else _IDLE).total_seconds())


def _done(chore: Chore, now: datetime) -> bool:
    try:
        return chore(now)
    except errors.Unavailable as exc:
        _log.warning("a chore waits for the store", detail=str(exc))
    except Exception:  # noqa: BLE001  # one bad chore must not stop the others
        _log.exception("a chore failed")
    return False
