"""Calls that come while another is under way, made together.

A commit to the disk takes as long for many as for one, and those that would wait for
each other's can share it. Whoever comes first begins at once; those who come meanwhile
are done by one of them, in one step, as soon as that has ended. Nobody is answered
before the step that does theirs is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(Generic[Item, Result]):
    """One who waits: until it is done, or its turn to do all that wait."""

    __slots__ = ("failure", "item", "results", "woken")

    def __init__(self, item: Item) -> None:
        self.item = item
        #: The one result, as soon as there is one.
        self.results: Sequence[Result] = ()
        self.failure: BaseException | None = None
        self.woken = threading.Lock()
        self.woken.acquire()

    @property
    def done(self) -> bool:
        return bool(self.results) or self.failure is not None


class Gathering(Generic[Item, Result]):
    """``do`` does at most ``most`` items in one step, and returns a result for each.

    What it raises, it raises for all of the step.
    """

    def __init__(
        self, do: Callable[[Sequence[Item]], Sequence[Result]], *, most: int
    ) -> None:
        self._do = do
        self._most = most
        self._lock = threading.Lock()
        #: By what those have in common who would wait for each other: who waits. There
        #: is an entry for as long as one of them is at work.
        self._waiting: dict[str, list[_Call[Item, Result]]] = {}

    def __call__(self, item: Item, *, among: str) -> Result:
        """Do an item, with those that come ``among`` the same at the same time."""
        call: _Call[Item, Result] = _Call(item)
        with self._lock:
            begins = among not in self._waiting
            self._waiting.setdefault(among, []).append(call)
        if not begins:
            call.woken.acquire()
        if not call.done:
            self._work(among)
        if call.failure is not None:
            raise call.failure
        return call.results[0]

    def _work(self, among: str) -> None:
        """Do those that wait, and let the next of them do the rest."""
        with self._lock:
            waiting = self._waiting[among]
            calls, waiting[:] = waiting[: self._most], waiting[self._most :]
        try:
            results = self._do([call.item for call in calls])
            for call, result in zip(calls, results, strict=True):
                call.results = (result,)
        except BaseException as failure:  # noqa: BLE001  # it is raised by each
            for call in calls:
                call.failure = failure
        with self._lock:
            waiting = self._waiting[among]
            heir = waiting[0] if waiting else None
            if heir is None:
                del self._waiting[among]
        if heir is not None:
            heir.woken.release()
        for call in calls:
            call.woken.release()
