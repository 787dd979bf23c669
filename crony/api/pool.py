"""The threads that work on the store, so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from crony import errors

P = ParamSpec("P")
T = TypeVar("T")

#: How many calls may wait for each thread; more are refused rather than delayed.
_QUEUE = 256

#: How long a call may wait for a thread. A store that hangs holds each thread until
#: the driver's time limit; whoever waits behind them is told to come back instead.
PATIENCE = timedelta(seconds=5)


class Pool:
    """A few threads; a use case is one hop."""

    def __init__(self, threads: int, *, patience: timedelta = PATIENCE) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="crony-store")
        self._most = threads * _QUEUE
        self._patience = patience.total_seconds()
        self._under_way = 0

    async def run(
        self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a use case on a thread, with the log's fields of this request.

        Raises ``Overloaded`` where it was not begun: too many are under way, or no
        thread was free in time.
        """
        if self._under_way >= self._most:
            raise _overloaded("the service has too many requests under way")
        context = contextvars.copy_context()
        self._under_way += 1
        begun = self._executor.submit(context.run, partial(call, *args, **kwargs))
        # What has begun can't be cancelled: then this does nothing.
        loop = asyncio.get_running_loop()
        dropping = loop.call_later(self._patience, begun.cancel)
        try:
            return await asyncio.wrap_future(begun)
        except asyncio.CancelledError as exc:
            if _is_cancelled_itself():
                raise
            raise _overloaded("the store keeps every thread waiting") from exc
        finally:
            dropping.cancel()
            self._under_way -= 1

    def close(self) -> None:
        """Let what is under way finish, and end the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _is_cancelled_itself() -> bool:
    """Return whether it is the request that ended, rather than the call."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _overloaded(detail: str) -> errors.Overloaded:
    return errors.Overloaded(detail, retry_after=timedelta(seconds=1))
