"""The probe: whether the store takes writes, tried when somebody wants to know."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from crony import clock as clocks
from crony import errors
from crony.clock import Clock
from crony.storage.contract import Store

#: What is written: a note with a duty that means nothing, as large as the other writes
#: of a second may be. A disk that is full may have room for less.
_DUTY = _HOLDER = "probe"
_LENGTH = 64 << 10

#: For so long the last answer holds, however many ask.
_AGAIN = timedelta(seconds=1)


class Probe:
    """Tries a write at most once a second.

    A store whose disk is full answers every question as ever.
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
