"""Long polls that wait for runs, and who of them is woken.

Everything here happens on the event loop's thread; a waiting poll costs one future.
Workers that are equal to the store (tenant, queues, labels, level of sandbox) form a
*group*: if one of them finds nothing, the others would not either. So news of a line
wakes the first poll of each group that serves it, first come, first served. The woken
poll passes the baton to the next of its group when it took all it could, or could not
look at all; otherwise the line is empty for them all.

News may be lost, with the process that was about to tell them. So the first of each
group looks every second; and so does every poll where the news of other processes don't
arrive by themselves. Both are bounded: of very many, each has its turn later.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from crony.model.worker import Worker
from crony.scheduler.wakes import Wake, Wakes

Line = tuple[str, str]
Group = tuple[object, ...]


#: Of so many lines the newest news is noted,
MOST_NOTED = 100_000
#: and of so many workers which poll came last.
_MOST_REMEMBERED = 10_000

#: How often those look that were told nothing, in seconds, and how many at once.
LOOK = 1.0
MOST_LOOKS = 50


class News(Enum):
    """What ended a wait."""

    LOOK = auto()
    TIME = auto()
    REPLACED = auto()
    CLOSING = auto()


@dataclass(eq=False, slots=True)
class Poll:
    """One request of a worker for runs, from its arrival to its answer."""

    worker: str
    session: str
    sequence: int
    #: What had happened when it came: later news must not be lost on it.
    entered: int
    lines: tuple[Line, ...] = ()
    group: Group = ()
    news: News | None = None
    waiter: asyncio.Future[None] | None = field(default=None, repr=False)
    #: Woken for its group, and did not look yet.
    has_baton: bool = False


class Hub:
    """The waiting polls of one process."""

    def __init__(self) -> None:
        self._count = 0
        self._happened: dict[Line, int] = {}
        #: News of a line that is not noted may be as new as this.
        self._forgotten = 0
        self._by_worker: dict[str, Poll] = {}
        #: The session and number of each worker's newest poll that came here.
        self._newest: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._groups: dict[Group, dict[Poll, None]] = {}
        self._by_line: dict[Line, dict[Group, None]] = {}
        self.closing = False
        self._rounds: asyncio.Task[None] | None = None

    def listen(self, wakes: Wakes) -> None:
        """Hear of all wakes, from whatever thread they come; and look without."""
        loop = asyncio.get_running_loop()
        wakes.subscribe(lambda wake: _call(loop, self, wake))
        self._rounds = loop.create_task(self._look_out(wakes))

    def __len__(self) -> int:
        return len(self._by_worker)

    def enter(self, worker: str, *, session: str, sequence: int) -> Poll:
        """Begin a poll, before its first look: news from here on counts."""
        return Poll(worker, session, sequence, self._count)

    def took(self, poll: Poll) -> bool:
        """Record that the store took a poll: it ends the worker's older one.

        Returns whether the one before it may wait at another process.
        """
        followed = self._newest.get(poll.worker) == (poll.session, poll.sequence - 1)
        self._remember(poll)
        self._end_older(poll)
        return not followed

    def _remember(self, poll: Poll) -> None:
        session, sequence = self._newest.pop(poll.worker, ("", 0))
        if session == poll.session and sequence > poll.sequence:
            newest = session, sequence
        else:
            newest = poll.session, poll.sequence
        self._newest[poll.worker] = newest
        if len(self._newest) > _MOST_REMEMBERED:
            self._newest.popitem(last=False)

    def _end_older(self, poll: Poll) -> None:
        """End the worker's older poll that waits here.

        First looks may come back in another order than the store took them, so the
        numbers decide. Sessions have no order but the store's: another one's poll
        looks again, and hears there whether it is over.
        """
        other = self._by_worker.get(poll.worker)
        if other is None or other is poll:
            return
        if other.session != poll.session:
            self._tell(other, News.LOOK)
        elif other.sequence > poll.sequence:
            self._tell(poll, News.REPLACED)
        else:
            self._tell(other, News.REPLACED)

    def admit(self, poll: Poll, worker: Worker, *, hungry: bool) -> None:
        """Let a poll wait that the store took; only the worker's newest does.

        What happened since it entered wakes it at once. One that is not ``hungry``
        waits for news of its worker alone.
        """
        self._end_older(poll)
        if poll.news is News.REPLACED:
            return
        self._by_worker[poll.worker] = poll
        lines = [(worker.tenant, queue) for queue in worker.queues] if hungry else []
        poll.lines = tuple(lines)
        poll.group = (
            worker.tenant,
            tuple(sorted(worker.queues)),
            tuple(sorted(worker.labels.items())),
            worker.sandbox_level,
        )
        concerns = (*poll.lines, _of(poll.worker))
        if any(
            self._happened.get(line, self._forgotten) > poll.entered
            for line in concerns
        ):
            self._tell(poll, News.LOOK)

    async def wait(self, poll: Poll, *, seconds: float) -> News:
        """Wait for news; a poll that waits is in its group's queue."""
        if self.closing:
            return News.CLOSING
        if poll.news is None:
            loop = asyncio.get_running_loop()
            poll.waiter = loop.create_future()
            timer = loop.call_later(max(seconds, 0), self._tell, poll, News.TIME)
            self._queue(poll)
            try:
                await poll.waiter
            finally:
                timer.cancel()
                poll.waiter = None
                self._unqueue(poll)
        news, poll.news = poll.news or News.TIME, None
        return news

    def looked(self, poll: Poll, *, sated: bool) -> None:
        """Record that a woken poll looked; ``sated``: there may be more."""
        poll.has_baton = False
        if sated:
            self._wake_next(poll.group)

    def leave(self, poll: Poll) -> None:
        """End a poll; a baton that it could not use goes on."""
        if self._by_worker.get(poll.worker) is poll:
            del self._by_worker[poll.worker]
        if poll.has_baton:
            poll.has_baton = False
            self._wake_next(poll.group)

    def close(self) -> None:
        """Let every waiting poll answer at once, and none wait again."""
        self.closing = True
        for poll in list(self._by_worker.values()):
            self._tell(poll, News.CLOSING)

    def wake(self, wake: Wake) -> None:
        """Pass news on to those that it concerns."""
        if wake.missed:
            self._look_all()
            return
        self._happen(wake.ready | {_of(worker) for worker in wake.workers})
        for worker in wake.workers:
            poll = self._by_worker.get(worker)
            if poll is not None:
                self._tell(poll, News.LOOK)
        groups = {group for line in wake.ready for group in self._by_line.get(line, ())}
        for group in groups:
            self._wake_next(group)

    def _look_all(self) -> None:
        """Let everyone look: anything may have happened."""
        self._count += 1
        self._happened.clear()
        self._forgotten = self._count
        for poll in list(self._by_worker.values()):
            self._tell(poll, News.LOOK)

    async def _look_out(self, wakes: Wakes) -> None:
        while not self.closing:
            await asyncio.sleep(LOOK)
            self.look(each=not wakes.hears_all)

    def look(self, *, each: bool) -> None:
        """Let the first of each group look, or ``each`` poll, without any news."""
        for group in list(self._groups)[:MOST_LOOKS]:
            # To the end, so that all have their turn.
            self._groups[group] = self._groups.pop(group)
            self._wake_next(group)
        if not each:
            return
        for worker in list(self._by_worker)[:MOST_LOOKS]:
            poll = self._by_worker[worker] = self._by_worker.pop(worker)
            if poll.news is None:
                self._tell(poll, News.LOOK)

    def _happen(self, lines: Iterable[Line]) -> None:
        self._count += 1
        if len(self._happened) >= MOST_NOTED:
            # Forgetting makes nobody wait longer: news of all is assumed.
            self._happened.clear()
            self._forgotten = self._count
        for line in lines:
            self._happened[line] = self._count

    def _wake_next(self, group: Group) -> None:
        poll = next(iter(self._groups.get(group, ())), None)
        if poll is not None:
            poll.has_baton = True
            self._tell(poll, News.LOOK)

    def _tell(self, poll: Poll, news: News) -> None:
        # A reason to end is never overwritten by a reason to look.
        if poll.news in (None, News.LOOK, News.TIME):
            poll.news = news
        if poll.waiter is not None:
            self._unqueue(poll)
            if not poll.waiter.done():
                poll.waiter.set_result(None)

    def _queue(self, poll: Poll) -> None:
        if not poll.lines:
            return
        self._groups.setdefault(poll.group, {})[poll] = None
        for line in poll.lines:
            self._by_line.setdefault(line, {})[poll.group] = None

    def _unqueue(self, poll: Poll) -> None:
        waiting = self._groups.get(poll.group)
        if waiting is None or poll not in waiting:
            return
        del waiting[poll]
        if waiting:
            return
        del self._groups[poll.group]
        for line in poll.lines:
            groups = self._by_line.get(line, {})
            groups.pop(poll.group, None)
            if not groups:
                self._by_line.pop(line, None)


def _of(worker: str) -> Line:
    """Return the line of a worker's own news: no tenant has an empty name."""
    return "", worker


def _call(loop: asyncio.AbstractEventLoop, hub: Hub, wake: Wake) -> None:
    if not loop.is_closed() and (wake.ready or wake.workers or wake.missed):
        loop.call_soon_threadsafe(hub.wake, wake)
