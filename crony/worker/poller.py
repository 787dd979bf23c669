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
#: A poll that came back at once and brought nothing new is not repeated at once.
_PAUSE = timedelta(milliseconds=500)
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
        self._heard = heard
        self._failed = failed
        self._now = boottime
        self._backoff = Backoff()
        self._inbox: queue.SimpleQueue[_Back | None] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[_Poll | None] = queue.SimpleQueue()
        self._out: dict[int, _Poll] = {}
        self._sequence = 0
        self._not_before = timedelta(0)
        self._closed = False
        self._revoked: frozenset[tuple[str, int]] = frozenset()

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
        if self._out:
            return None
        return max(0.0, (self._not_before - self._now()).total_seconds())

    def _send_if_needed(self) -> None:
        newest = self._out.get(self._sequence)
        free = min(self._slots(), _MOST_SLOTS)
        if newest is None:
            if self._now() < self._not_before:
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
        leases = [parse(one, exchange) for one in reading.objects(answer, "leases")]
        if leases:
            self._leased(leases)
        revoked = frozenset(
            (reading.text(one, "run"), reading.integer(one, "token"))
            for one in reading.objects(answer, "revoked")
        )
        # A run that is stopping is named in every answer until it has ended.
        nothing_new = not leases and revoked <= self._revoked
        self._revoked = revoked
        at_once = exchange.received - exchange.sent < min(_PAUSE, self._poll_wait)
        if is_newest and nothing_new and at_once:
            self._not_before = self._now() + _PAUSE

    def _fail(self, failure: errors.ClientError) -> None:
        if isinstance(failure, errors.Refused) and failure.status in (
            401,
            403,
            404,
            409,
        ):
            self._failed(failure)
        wait = self._backoff.after(failure)
        self._not_before = self._now() + wait
        _log.warning("no leases", detail=str(failure), duration=wait)
