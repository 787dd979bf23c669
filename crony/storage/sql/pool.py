"""Connections that are kept for the next who needs one.

What is left open by a failure, or broken, is not kept. The one that came back last goes
out first, so that those beyond what is needed now are idle and can be closed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from crony.storage.sql.engine import unavailable

Driver = TypeVar("Driver")

#: Seconds to wait for a connection, where there may be no more of them.
_PATIENCE = 10.0


class Pool(Generic[Driver]):
    """The connections of one process to one database.

    ``usable`` says whether one that was idle may go out, ``clean`` whether one that
    came back may be kept. At most ``most`` are out at once, and ``kept`` are idle.
    """

    def __init__(
        self,
        make: Callable[[], Driver],
        close: Callable[[Driver], None],
        *,
        usable: Callable[[Driver], bool],
        clean: Callable[[Driver], bool],
        kept: int,
        most: int,
    ) -> None:
        self._make = make
        self._close = close
        self._usable = usable
        self._clean = clean
        self._kept = kept
        self._places = threading.BoundedSemaphore(most)
        self._idle: deque[Driver] = deque()
        self._closed = False

    def take(self) -> Driver:
        """Return one that nobody has.

        Raises ``StoreUnavailable`` where all that there may be are out for long, and
        whatever the driver raises when no new one can be made.
        """
        if not self._places.acquire(timeout=_PATIENCE):
            raise unavailable("the store has no free connection")
        try:
            while (idle := self._last()) is not None:
                if self._usable(idle):
                    return idle
                self._close(idle)
            return self._make()
        except BaseException:
            self._places.release()
            raise

    def give_back(self, connection: Driver) -> None:
        """Take one back, and keep it if it is as good as new."""
        try:
            if self._clean(connection) and len(self._idle) < self._kept:
                self._idle.append(connection)
            else:
                self._close(connection)
            if self._closed:
                self.drain()
        finally:
            self._places.release()

    def close(self) -> None:
        """Close all that are idle; those that are out, when they come back."""
        self._closed = True
        self.drain()

    def drain(self) -> None:
        """Close all that are idle: as what broke one may have broken them as well."""
        while (idle := self._last()) is not None:
            self._close(idle)

    def _last(self) -> Driver | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None
