"""The probe: whether the store takes writes, tried when somebody wants to know."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from crony import clock as clocks
from crony import errors, log
from crony.clock import Clock
from crony.storage.contract import Store

_log = log.get(__name__)

#: What is written: a note with a duty that means nothing, as large as the other writes
#: of a second may be. A disk that is full may have room for less.
_DUTY = _HOLDER = "probe"
_LENGTH = 64 << 10

#: For so long the last answer holds, however many ask.
_AGAIN = timedelta(seconds=1)
#: For so long it counts that a write failed that somebody else tried.
_NOTED = timedelta(seconds=5)


class Probe:
    """Tries a write at most once a second, and takes note of those of others.

    A store whose disk is full answers every question as ever, and may have room for
    what is tried where it has none for what is asked.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        elapsed: Callable[[], timedelta] = clocks.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._tried_at: timedelta | None = None
        self._failure: errors.CronyError | None = None
        #: How the newest write of this process failed, and when, if it did.
        self._noted: tuple[errors.CronyError, timedelta] | None = None

    def note(self, failure: errors.CronyError | None) -> None:
        """Take note of how a write went: what the store raised, if it did."""
        noted = None if failure is None else (failure, self._elapsed())
        before, self._noted = self._noted, noted
        if failure is not None and before is None:
            _log.warning("the store takes no writes", detail=str(failure))
        elif failure is None and before is not None:
            _log.info("the store takes writes again")

    def check(self) -> None:
        """Return if the store takes writes; raises what a write raised."""
        # While one tries, which may take long, the others know what was last.
        if self._lock.acquire(blocking=self._tried_at is None):
            try:
                self._renew()
            finally:
                self._lock.release()
        failure = self._failure
        if failure is not None:
            raise failure.with_traceback(None)
        noted = self._noted
        if noted is not None and self._elapsed() - noted[1] < _NOTED:
            raise noted[0].with_traceback(None)

    def _renew(self) -> None:
        if self._tried_at is not None and self._elapsed() - self._tried_at < _AGAIN:
            return
        try:
            self._write()
            self._failure = None
        except (errors.Unavailable, errors.StoreUnusable) as exc:
            self._failure = exc
        self._tried_at = self._elapsed()

    def _write(self) -> None:
        now = self._clock.now()
        # Another each time: what is there already need not be written.
        said = now.isoformat()
        note = said * (_LENGTH // len(said))
        self._store.duties.hold(_DUTY, _HOLDER, now=now, ttl=timedelta())
        self._store.duties.leave(_DUTY, _HOLDER, note)
