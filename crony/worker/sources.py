"""The descriptors one run is followed by, and the reading of them."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from crony.worker.work import Work

_READ = 64 << 10
_MILLISECOND = timedelta(milliseconds=1)
#: A wait stands still while the host is suspended.
_LONGEST = timedelta(seconds=10)
#: Whoever still holds the task's pipes after its end is not waited for.
_DRAIN = 1.0


class Sources:
    """Output, progress, the task's end and the wake-ups of one run.

    ``take`` gets what was read and the stream it came on.
    """

    def __init__(
        self, work: Work, wake: int, take: Callable[[str, bytes], None]
    ) -> None:
        self._ended = work.ended
        self._wake = wake
        self._take = take
        self._open = {fd: stream for stream, fd in work.streams.items()}
        if work.progress is not None:
            self._open[work.progress] = "progress"
        self._poll = select.epoll(4)
        for fd in (*self._open, self._ended, self._wake):
            self._poll.register(fd, select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._poll.close()

    def read(self, patience: timedelta) -> bool:
        """Read once, waiting at most so long; true when the task has ended."""
        wait = min(max(patience, timedelta(0)), _LONGEST) / _MILLISECOND
        # Rounded up: to wake before the instant would only mean to wait again.
        for fd, _ in self._poll.poll((wait + 1) / 1000):
            if fd == self._ended:
                return True
            if fd == self._wake:
                os.eventfd_read(self._wake)
            else:
                self._read(fd)
        return False

    def drain(self) -> None:
        """Read what the ended task left behind, for a bounded time."""
        self._poll.unregister(self._ended)
        until = time.monotonic() + _DRAIN
        while self._open and (left := until - time.monotonic()) > 0:
            for fd, _ in self._poll.poll(left):
                if fd == self._wake:
                    os.eventfd_read(self._wake)
                else:
                    self._read(fd)

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return
        if data:
            self._take(self._open[fd], data)
            return
        self._poll.unregister(fd)
        del self._open[fd]
