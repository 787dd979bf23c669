"""Asks for runs: a long poll that is always out, and a newer one when it must be.

A poll without a free slot waits for revocations alone. When a slot becomes free, a
newer poll is sent beside it, on a second connection, and the service ends the
older one; so no run waits for a poll to come back.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from crony import clock, errors, log, wire
from crony.client import Client
from crony.model.task import JsonObject
from crony.worker import reading
from crony.worker.backoff import Backoff
from crony.worker.lease import Exchange, Lease, parse
from crony.worker.roster import holding_of

_log = log.get(__name__)

#: Beside the time that the service may hold a poll.
_TIMEOUT = timedelta(seconds=10)
#: A poll that came back at once and brought nothing is not repeated at once: the
#: service is about to end, or can't be understood.
_PAUSE = timedelta(milliseconds=500)
#: A worker that is full asks for revocations alone, and not before this: a short
#: task has made room by then, and the poll for its slot would only replace that one.
_FULL_PAUSE = timedelta(milliseconds=100)
#: Runs that are to start now are confirmed and let go before more are asked for, which
#: would take the service, and the processor, from them.
_GIVE_WAY = timedelta(milliseconds=20)
_NOW = timedelta(milliseconds=200)
_MOST_SLOTS = 1000
_CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class _Poll:
    """One that is out."""

    sequence: int
    slots: int
    wait: timedelta


@dataclass(frozen=True, slots=True)
class _Back:
    """One that came back."""

    poll: _Poll
    exchange: Exchange
    answer: JsonObject | None
    failure: errors.ClientError | None


class Poller:
    """The loop and the two threads that do its requests."""

    def __init__(
        self,
        make_client: Callable[[], Client],
        *,
        worker: str,
        session: str,
        poll_wait: timedelta,
        slots: Callable[[], int],
        holding: Callable[[], Sequence[tuple[str, int]]],
        leased: Callable[[Sequence[Lease]], None],
        unreadable: Callable[[JsonObject, str], None],
        heard: Callable[[JsonObject, Exchange], None],
        failed: Callable[[errors.Refused], None],
        boottime: Callable[[], timedelta] = clock.boottime,
    ) -> None:
        self._make_client = make_client
        self._worker = worker
        self._session = session
        self._poll_wait = poll_wait
        self._slots = slots
        self._holding = holding
        self._leased = leased
        self._unreadable = unreadable
        self._heard = heard
        self._failed = failed
        self._now = boottime
        self._backoff = Backoff()
        self._inbox: queue.SimpleQueue[_Back | None] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[_Poll | None] = queue.SimpleQueue()
        self._out: dict[int, _Poll] = {}
        self._sequence = 0
        self._not_before = timedelta(0)
        self._full_before = timedelta(0)
        self._closed = False

    def nudge(self) -> None:
        """A slot is free, or it is time to end."""
        self._inbox.put(None)

    def close(self) -> None:
        """End the loop; a poll that is out is left to itself."""
        self._closed = True
        self.nudge()
        for _ in range(_CONNECTIONS):
            self._wanted.put(None)

    def last_sequence(self) -> int:
        """Return a number for one more poll, after this has been closed."""
        return self._sequence + 1

    def run(self) -> None:
        """Poll until closed."""
        for _ in range(_CONNECTIONS):
            threading.Thread(target=self._ask, name="crony-poll", daemon=True).start()
        while not self._closed:
            self._send_if_needed()
            try:
                back = self._inbox.get(timeout=self._patience())
            except queue.Empty:
                continue
            if back is not None and not self._closed:
                try:
                    self._take(back)
                except Exception:  # noqa: BLE001  # the loop's top: it must go on
                    _log.exception("poll broke")
                    self._not_before = self._now() + _PAUSE

    def _patience(self) -> float | None:
        """Return how long to wait for news: until the next poll may be sent."""
        if self._sequence in self._out:
            return None
        return max(0.0, (self._earliest() - self._now()).total_seconds())

    def _earliest(self) -> timedelta:
        if self._slots():
            return self._not_before
        return max(self._not_before, self._full_before)

    def _send_if_needed(self) -> None:
        newest = self._out.get(self._sequence)
        free = min(self._slots(), _MOST_SLOTS)
        if newest is None:
            if self._now() < self._earliest():
                return
        elif newest.slots or not free or len(self._out) >= _CONNECTIONS:
            return
        self._sequence += 1
        poll = _Poll(self._sequence, free, self._poll_wait)
        self._out[poll.sequence] = poll
        self._wanted.put(poll)

    def _ask(self) -> None:
        client = self._make_client()
        while (poll := self._wanted.get()) is not None:
            self._inbox.put(self._once(client, poll))
        client.close()

    def _once(self, client: Client, poll: _Poll) -> _Back:
        body = {
            "session": self._session,
            "seq": poll.sequence,
            "slots": poll.slots,
            "wait": wire.format_duration(poll.wait),
            "holding": holding_of(self._holding()),
        }
        sent = self._now()
        try:
            answer = client.lease(self._worker, body, timeout=poll.wait + _TIMEOUT)
            received = self._now()
            held = reading.duration(answer, "held")
            return _Back(poll, Exchange(sent, held, received), answer, None)
        except errors.ClientError as exc:
            failure = exc
        except Exception:  # noqa: BLE001  # the thread's top: a poll must come back
            _log.exception("poll broke")
            failure = errors.ServiceUnreachable("the poll could not be made")
        nothing = timedelta(0)
        return _Back(poll, Exchange(sent, nothing, self._now()), None, failure)

    def _take(self, back: _Back) -> None:
        self._out.pop(back.poll.sequence, None)
        is_newest = back.poll.sequence == self._sequence
        if back.failure is not None:
            if is_newest:
                self._fail(back.failure)
            return
        assert back.answer is not None
        self._backoff.reset()
        try:
            self._act(back.answer, back.exchange, is_newest=is_newest)
        except ValueError as exc:
            _log.error("answer not understood", detail=str(exc))
            self._not_before = self._now() + _PAUSE

    def _act(self, answer: JsonObject, exchange: Exchange, *, is_newest: bool) -> None:
        self._heard(answer, exchange)
        bodies = reading.objects(answer, "leases")
        if bodies:
            leases = self._parsed(bodies, exchange)
            self._leased(leases)
            now = self._now()
            self._full_before = now + _FULL_PAUSE
            if any(lease.start_at <= now + _NOW for lease in leases):
                self._not_before = max(self._not_before, now + _GIVE_WAY)
        told = bodies or reading.objects(answer, "revoked")
        at_once = exchange.received - exchange.sent < _PAUSE
        if is_newest and at_once and not told:
            self._not_before = self._now() + _PAUSE

    def _parsed(
        self, bodies: Sequence[JsonObject], exchange: Exchange
    ) -> Sequence[Lease]:
        leases = []
        for body in bodies:
            try:
                leases.append(parse(body, exchange))
            except ValueError as exc:
                self._unreadable(body, str(exc))
        return leases

    def _fail(self, failure: errors.ClientError) -> None:
        if isinstance(failure, errors.Refused):
            self._failed(failure)
        wait = self._backoff.after(failure)
        self._not_before = self._now() + wait
        _log.warning("no leases", detail=str(failure), duration=wait)
