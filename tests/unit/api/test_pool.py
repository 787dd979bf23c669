"""A use case waits for a thread for a while, not for ever."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from crony import errors
from crony.api.pool import Pool


def test_what_finds_no_thread_in_time_is_refused_and_never_begun() -> None:
    go, done = threading.Event(), []

    async def main() -> None:
        pool = Pool(1, patience=timedelta(milliseconds=20))
        hanging = asyncio.ensure_future(pool.run(go.wait, 30))
        await asyncio.sleep(0)
        with pytest.raises(errors.Overloaded) as refusal:
            await pool.run(done.append, "late")
        assert refusal.value.retry_after == timedelta(seconds=1)
        # What has begun goes on, however long it takes.
        go.set()
        assert await hanging
        await pool.run(done.append, "next")
        pool.close()

    asyncio.run(main())
    assert done == ["next"]


def test_more_than_can_wait_are_refused_at_once() -> None:
    go = threading.Event()

    async def main() -> None:
        pool = Pool(1, patience=timedelta(seconds=30))
        waiting = [asyncio.ensure_future(pool.run(go.wait, 30)) for _ in range(256)]
        await asyncio.sleep(0)
        with pytest.raises(errors.Overloaded):
            await pool.run(go.is_set)
        go.set()
        assert all(await asyncio.gather(*waiting))
        pool.close()

    asyncio.run(main())


def test_a_request_that_ends_is_no_overload() -> None:
    go = threading.Event()

    async def main() -> None:
        pool = Pool(1)
        request = asyncio.ensure_future(pool.run(go.wait, 30))
        await asyncio.sleep(0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        go.set()
        pool.close()

    asyncio.run(main())
