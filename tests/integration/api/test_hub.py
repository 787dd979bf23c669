"""Who of the waiting polls is woken, without a service."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from crony.api.polls import LOOK, MOST_LOOKS, MOST_NOTED, Hub, News, Poll
from crony.model.worker import Worker
from crony.scheduler.wakes import Wake, Wakes
from crony.testing.factories import make_worker

READY = Wake(ready=frozenset({("default", "q")}))


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), timeout=10))

    return run


def worker(number: int, **members: Any) -> Worker:
    return make_worker(
        id=f"wrk_{number}", tenant="default", **{"queues": ("q",), **members}
    )


_numbers = itertools.count(1)


def entering(hub: Hub, worker_id: str, *, session: str = "ses_1") -> Poll:
    """Begin a poll with the next number."""
    return hub.enter(worker_id, session=session, sequence=next(_numbers))


async def polls(
    hub: Hub, *workers: Worker
) -> tuple[list[Poll], list[asyncio.Task[News]]]:
    """Let a poll of each worker wait."""
    entered: list[Poll] = []
    tasks: list[asyncio.Task[News]] = []
    for one in workers:
        poll = entering(hub, one.id)
        hub.admit(poll, one, hungry=True)
        entered.append(poll)
        tasks.append(asyncio.create_task(hub.wait(poll, seconds=60)))
    await asyncio.sleep(0)
    return entered, tasks


async def woken(tasks: list[asyncio.Task[News]]) -> list[int]:
    """Return which have ended, once all that was called has run."""
    for _ in range(5):
        await asyncio.sleep(0)
    return [n for n, task in enumerate(tasks) if task.done()]


async def given_up(tasks: list[asyncio.Task[News]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_loop
async def test_news_wakes_the_first_of_equal_workers_alone() -> None:
    hub = Hub()
    _, tasks = await polls(hub, worker(1), worker(2), worker(3))
    hub.wake(READY)
    assert await woken(tasks) == [0]
    hub.wake(READY)
    assert await woken(tasks) == [0, 1]
    await given_up(tasks)


@in_loop
async def test_each_group_of_workers_has_its_own_first() -> None:
    hub = Hub()
    _, tasks = await polls(
        hub,
        worker(1),
        worker(2),
        worker(3, labels={"gpu": "yes"}),
        worker(4, sandbox_level="none"),
        worker(5, queues=("other",)),
        worker(6, queues=("other", "q")),
    )
    hub.wake(READY)
    assert await woken(tasks) == [0, 2, 3, 5]
    await given_up(tasks)


@in_loop
async def test_a_sated_poll_passes_the_baton_and_an_idle_one_keeps_it() -> None:
    hub = Hub()
    entered, tasks = await polls(hub, worker(1), worker(2), worker(3))
    hub.wake(READY)
    await woken(tasks)
    hub.looked(entered[0], sated=True)
    assert await woken(tasks) == [0, 1]
    hub.looked(entered[1], sated=False)
    hub.leave(entered[1])
    assert await woken(tasks) == [0, 1]
    await given_up(tasks)


@in_loop
async def test_a_poll_that_goes_before_it_looked_passes_the_baton() -> None:
    hub = Hub()
    entered, tasks = await polls(hub, worker(1), worker(2))
    hub.wake(READY)
    await woken(tasks)
    hub.leave(entered[0])
    assert await woken(tasks) == [0, 1]


@in_loop
async def test_news_between_the_first_look_and_the_wait_is_not_lost() -> None:
    hub = Hub()
    poll = entering(hub, "wrk_1")
    hub.wake(READY)
    hub.admit(poll, worker(1), hungry=True)
    assert await hub.wait(poll, seconds=60) is News.LOOK
    again = entering(hub, "wrk_1")
    hub.wake(Wake(workers=frozenset({"wrk_1"})))
    hub.admit(again, worker(1), hungry=False)
    assert await hub.wait(again, seconds=60) is News.LOOK


@in_loop
async def test_a_worker_without_a_free_slot_hears_its_own_news_alone() -> None:
    hub = Hub()
    poll = entering(hub, "wrk_1")
    hub.admit(poll, worker(1), hungry=False)
    task = asyncio.create_task(hub.wait(poll, seconds=60))
    await asyncio.sleep(0)
    hub.wake(READY)
    assert await woken([task]) == []
    hub.wake(Wake(workers=frozenset({"wrk_1"})))
    assert await task is News.LOOK


@in_loop
async def test_waits_end_by_time_by_a_newer_poll_and_by_closing() -> None:
    hub = Hub()
    poll = entering(hub, "wrk_1")
    hub.admit(poll, worker(1), hungry=True)
    assert await hub.wait(poll, seconds=0) is News.TIME
    entered, tasks = await polls(hub, worker(1), worker(2))
    hub.admit(entering(hub, "wrk_1"), worker(1), hungry=True)
    assert await tasks[0] is News.REPLACED
    hub.close()
    assert await tasks[1] is News.CLOSING
    assert await hub.wait(entering(hub, "wrk_3"), seconds=60) is News.CLOSING
    for one in entered:
        hub.leave(one)


@in_loop
async def test_an_older_poll_that_is_taken_note_of_late_ends_itself() -> None:
    hub = Hub()
    older = entering(hub, "wrk_1")
    (newer,), tasks = await polls(hub, worker(1))
    hub.took(older)
    hub.admit(older, worker(1), hungry=True)
    assert await hub.wait(older, seconds=60) is News.REPLACED
    hub.leave(older)
    assert await woken(tasks) == []
    assert len(hub) == 1
    await given_up(tasks)
    hub.leave(newer)


@in_loop
async def test_a_newer_poll_ends_the_older_one_also_when_it_never_waits() -> None:
    hub = Hub()
    _, (waiting,) = await polls(hub, worker(1))
    hub.took(entering(hub, "wrk_1"))
    assert await waiting is News.REPLACED


@in_loop
async def test_a_poll_of_another_session_asks_the_store_whether_it_is_over() -> None:
    hub = Hub()
    _, (waiting,) = await polls(hub, worker(1))
    hub.took(entering(hub, "wrk_1", session="ses_2"))
    assert await waiting is News.LOOK


@in_loop
async def test_the_first_of_each_group_looks_without_news() -> None:
    hub = Hub()
    _, tasks = await polls(hub, worker(1), worker(2), worker(3, queues=("other",)))
    hub.look(each=False)
    assert await woken(tasks) == [0, 2]
    hub.look(each=True)
    assert await woken(tasks) == [0, 1, 2]


@in_loop
async def test_of_very_many_groups_and_polls_each_has_its_turn() -> None:
    hub = Hub()
    number = 2 * MOST_LOOKS
    entered, tasks = await polls(
        hub, *(worker(n, queues=(f"q{n}",)) for n in range(number))
    )
    for _ in range(2):
        before = len(await woken(tasks))
        hub.look(each=False)
        assert len(await woken(tasks)) == before + MOST_LOOKS
    looking = {poll.worker for poll in entered}
    for _ in range(2):
        for poll in entered:
            poll.news = None
        hub.look(each=True)
        looking -= {poll.worker for poll in entered if poll.news is News.LOOK}
    assert not looking


@in_loop
async def test_everyone_looks_when_news_may_have_been_missed() -> None:
    hub = Hub()
    _, tasks = await polls(hub, worker(1), worker(2))
    full, late = entering(hub, "wrk_3"), entering(hub, "wrk_4")
    hub.admit(full, worker(3), hungry=False)
    tasks.append(asyncio.create_task(hub.wait(full, seconds=60)))
    await asyncio.sleep(0)
    hub.wake(Wake(missed=True))
    assert await woken(tasks) == [0, 1, 2]
    hub.admit(late, worker(4), hungry=False)
    assert await hub.wait(late, seconds=60) is News.LOOK


@in_loop
async def test_the_hub_looks_by_itself_while_not_all_news_arrive() -> None:
    hub = Hub()
    hub.listen(Wakes())
    _, tasks = await polls(hub, worker(1), worker(2))
    began = time.monotonic()
    assert await asyncio.gather(*tasks) == [News.LOOK] * 2
    assert time.monotonic() - began < LOOK + 0.5
    hub.close()


def test_a_poll_that_follows_one_of_here_has_none_to_end_elsewhere() -> None:
    hub = Hub()

    def took(sequence: int, session: str = "ses_1") -> bool:
        return hub.took(hub.enter("wrk_1", session=session, sequence=sequence))

    assert took(1)
    assert not took(2)
    # The third went to another process.
    assert took(4)
    assert took(3)
    assert not took(5)
    assert took(6, "ses_2")


@in_loop
async def test_what_has_left_leaves_nothing_behind() -> None:
    hub = Hub()
    entered, tasks = await polls(hub, *(worker(n) for n in range(1000)))
    assert len(hub) == 1000
    await given_up(tasks)
    for poll in entered:
        hub.leave(poll)
    assert len(hub) == 0
    assert not hub._groups
    assert not hub._by_line


@in_loop
async def test_news_that_was_forgotten_is_not_lost_on_a_poll_that_just_looked() -> None:
    hub = Hub()
    one = worker(1)
    poll = entering(hub, one.id)
    hub.wake(READY)
    for n in range(2):
        lines = {("default", f"{n}-{m}") for m in range(MOST_NOTED)}
        hub.wake(Wake(ready=frozenset(lines)))
    hub.admit(poll, one, hungry=True)
    assert await hub.wait(poll, seconds=60) is News.LOOK
