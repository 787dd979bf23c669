"""Sandboxes that stand at their gates before anybody knows what will run in them.

What is known ahead is prepared ahead; a run that is asked for now would wait for its
sandbox, which is most of its way. So some of the first slots, which are given first,
have a sandbox in reserve as long as they are free, of the kind that was wanted last.
It is used once, by whatever run gets the slot, or thrown away when that needs another
kind.

Reserves are made one after the other, and only when no run has begun or ended for a
moment: under load they would only take the processor from runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from crony import errors, log
from crony.worker.sandbox.values import Limits

if TYPE_CHECKING:
    from crony.worker.sandbox.confined import Confined

_log = log.get(__name__)

_CALM = timedelta(milliseconds=50)
#: After one could not be made.
_PAUSE = timedelta(seconds=30)
_READY_WITHIN = timedelta(seconds=5)
#: After so many in a row, none is made until a run comes that it would do for.
_UNFIT = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """What can't be changed any more once a sandbox stands."""

    limits: Limits
    #: The folder that is its ``/etc``.
    etc: str


class Spares:
    """The reserve of one sandbox object; ``make`` makes one, not ready yet.

    A thread keeps it full.
    """

    def __init__(self, make: Callable[[int, Limits], Confined]) -> None:
        self._make = make
        self._kind: Kind | None = None
        self._count = 0
        self._changed = threading.Condition()
        self._used: set[int] = set()
        self._standing: dict[int, tuple[Kind, Confined]] = {}
        self._making: int | None = None
        self._not_before = 0.0
        #: Runs in a row that no spare would have done for.
        self._unfit = 0
        self._thread: threading.Thread | None = None

    def keep(self, count: int, *, kind: Kind) -> None:
        """Have a spare for so many of the first slots, as soon as there is calm.

        ``kind`` is what is expected to be wanted. With 0 all are thrown away at once.
        """
        with self._changed:
            self._count = count
            self._kind = kind
            self._stir()
        if count == 0:
            self._end()
        elif self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="crony-spares", daemon=True
            )
            self._thread.start()

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._changed:
            left, self._standing = self._standing, {}
        for _, spare in left.values():
            _discard(spare)

    def take(self, slot: int, kind: Kind | None) -> Confined | None:
        """Give a slot to a run, with its spare if that is of the kind.

        ``None`` as the kind: the run needs one of its own.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._making != slot)
            self._used.add(slot)
            self._unfit = self._unfit + 1 if kind is None else 0
            self._kind = kind or self._kind
            found, spare = self._standing.pop(slot, (None, None))
            self._stir()
        if spare is not None and (found != kind or not spare.stands):
            _discard(spare)
            return None
        return spare

    def freed(self, slot: int) -> None:
        """Take note that nothing of a slot's run is left."""
        with self._changed:
            self._used.discard(slot)
            self._stir()

    def _stir(self) -> None:
        self._not_before = max(
            self._not_before, time.monotonic() + _CALM.total_seconds()
        )
        self._changed.notify_all()

    def _run(self) -> None:
        while (slot := self._next()) is not None:
            try:
                self._fill(slot)
            except Exception as exc:  # noqa: BLE001  # a run is not worse off without
                _log.warning("no sandbox in reserve", detail=str(exc))
                with self._changed:
                    self._not_before = time.monotonic() + _PAUSE.total_seconds()

    def _next(self) -> int | None:
        """Wait for a slot that wants a spare; ``None`` when it is over."""
        with self._changed:
            while self._count > 0:
                wanted = range(self._count if self._unfit < _UNFIT else 0)
                free = set(wanted) - self._used - self._standing.keys()
                wait = self._not_before - time.monotonic() if free else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                self._making = min(free)
                return self._making
            return None

    def _fill(self, slot: int) -> None:
        with self._changed:
            kind = self._kind
            assert kind is not None  # ``keep`` has said so
        try:
            made = self._make(slot, kind.limits)
            try:
                made.wait_ready(_READY_WITHIN)
            except BaseException:
                _discard(made)
                raise
            with self._changed:
                self._standing[slot] = kind, made
        finally:
            with self._changed:
                self._making = None
                self._changed.notify_all()


def _discard(spare: Confined) -> None:
    """Throw one away; whoever wanted its slot goes on whatever comes of that."""
    try:
        spare.discard()
    except (errors.CronyError, OSError) as exc:
        _log.error("sandbox in reserve was not cleared", detail=str(exc))
