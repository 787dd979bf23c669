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

from crony import errors
from crony.storage.sql.engine import unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(Generic[Item, Result]):
    """One who waits: until it is done, or its turn to do all that wait."""

    __slots__ = ("failure", "item", "leads", "results", "woken")

    def __init__(self, item: Item) -> None:
        self.item = item
        #: The one result, as soon as there is one.
        self.results: Sequence[Result] = ()
        self.failure: Exception | None = None
        #: Whether it is its turn.
        self.leads = False
        self.woken = threading.Lock()
        self.woken.acquire()

    def lead(self) -> None:
        """Let it do all that wait."""
        self.leads = True
        self.woken.release()

    def result(self) -> Result:
        """Return its result, or raise why there is none."""
        if self.results:
            return self.results[0]
        failure = self.failure
        if failure is None:
            raise unavailable("who was to store this was stopped before it had ended")
        if isinstance(failure, errors.Unavailable):
            # An exception notes where it is raised, and several raise this one.
            raise type(failure)(
                str(failure), retry_after=failure.retry_after
            ) from failure
        raise failure


class Gathering(Generic[Item, Result]):
    """``do`` does at most ``most`` items in one step, and returns a result for each.

    That the store is ``Unavailable`` it raises for all of the step. Where it raises
    something else, each is done in a step of its own.
    """

    def __init__(
        self, do: Callable[[Sequence[Item]], Sequence[Result]], *, most: int
    ) -> None:
        self._do = do
        self._most = most
        self._lock = threading.Lock()
        #: By what those have in common who would wait for each other: who waits. There
        #: is an entry for as long as it is the turn of one of them.
        self._waiting: dict[str, list[_Call[Item, Result]]] = {}

    def __call__(self, item: Item, *, among: str) -> Result:
        """Do an item, with those that come ``among`` the same at the same time."""
        call: _Call[Item, Result] = _Call(item)
        step: list[_Call[Item, Result]] = []
        try:
            self._wait(call, among)
            if call.leads:
                self._take(step, among)
                self._work(step)
        finally:
            # Whatever ends it, an interrupt too, the others go on.
            self._leave(call, among)
            for each in step:
                each.woken.release()
        return call.result()

    def _wait(self, call: _Call[Item, Result], among: str) -> None:
        with self._lock:
            if among not in self._waiting:
                call.lead()
            self._waiting.setdefault(among, []).append(call)
        call.woken.acquire()

    def _take(self, step: list[_Call[Item, Result]], among: str) -> None:
        """Let those that wait be of this step."""
        with self._lock:
            waiting = self._waiting[among]
            rest = waiting[self._most :]
            step += waiting[: self._most]
            self._waiting[among] = rest

    def _work(self, step: Sequence[_Call[Item, Result]]) -> None:
        try:
            results = self._do([call.item for call in step])
        except Exception as failure:  # noqa: BLE001  # each that it is of raises it
            if len(step) > 1 and not isinstance(failure, errors.Unavailable):
                for call in step:
                    self._work([call])
                return
            for call in step:
                call.failure = failure
        else:
            for call, result in zip(step, results, strict=True):
                call.results = (result,)

    def _leave(self, call: _Call[Item, Result], among: str) -> None:
        """Wait no longer; whose turn it was gives it to the next."""
        with self._lock:
            waiting = self._waiting.get(among, [])
            if call in waiting:
                waiting.remove(call)
            if not call.leads:
                return
            if waiting:
                waiting[0].lead()
            else:
                self._waiting.pop(among, None)
