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


class Pool:
    """A few threads; a use case is one hop."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="crony-store")
        self._most = threads * _QUEUE
        self._under_way = 0

    async def run(
        self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a use case on a thread, with the log's fields of this request."""
        if self._under_way >= self._most:
            raise errors.Overloaded(
                "the service has too many requests under way",
                retry_after=timedelta(seconds=1),
            )
        context = contextvars.copy_context()
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, partial(context.run, partial(call, *args, **kwargs))
            )
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """Let what is under way finish, and end the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)
