"""The dispatcher: turns events into deliveries, and carries them.

One process at a time has the duty. A delivery is stored before it is sent, and the
webhook's position moves on in the same step, so that none is lost; what was sent when
a process died is sent again. Each webhook has one delivery under way at a time, in the
order of events. Those that fail or are slow share a part of the places only, so that
they never hold up the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crony import errors, log
from crony.clock import Clock, cut
from crony.model.webhook import Delivery, Webhook
from crony.outbound import Rules
from crony.scheduler.contention import again
from crony.scheduler.delivery import GONE, Answer, Line, decided, send
from crony.scheduler.duty import Duty
from crony.scheduler.events import told
from crony.scheduler.fanning import Fan
from crony.scheduler.wakes import Wake, Wakes
from crony.storage.contract import Store

_log = log.get(__name__)

DUTY = "webhooks"
_TTL = timedelta(milliseconds=2500)
_PROLONG = timedelta(milliseconds=900)

#: The longest wait: how late news may be that no wake brought.
IDLE = timedelta(seconds=1)
#: How soon after a look for events there may be another.
_LEAST = timedelta(milliseconds=100)

#: The shortest wait.
_MOMENT = timedelta(milliseconds=1)

#: How many deliveries are under way at once, and how many of them to webhooks that
#: failed or were slow.
PLACES = 8
DOUBTFUL_PLACES = 4

#: How long a webhook is left alone that did not answer; twice that the next time.
_REST = timedelta(seconds=5)
_LONGEST_REST = timedelta(minutes=5)
#: The statuses of an endpoint that has too much to do.
_BUSY = frozenset({429, 502, 503, 504})
#: A try this long is slow.
_SLOW = timedelta(seconds=3)

#: A webhook's tenant and name.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What is held against a webhook: nothing is sent to it before ``until``."""

    failures: int
    until: datetime


class Dispatcher:
    """Sends to webhooks what they want, on threads of its own."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        wakes: Wakes,
        rules: Rules,
        holder: str,
        fraction: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakes = wakes
        self._rules = rules
        self._fraction = fraction
        self._fan = Fan(store, clock)
        self._duty = Duty(
            store, DUTY, holder=holder, wakes=wakes, ttl=_TTL, prolong=_PROLONG
        )
        self._lock = threading.Lock()
        #: What is under way, and what was bad of late; guarded by the lock.
        self._flying: dict[Key, tuple[Line, threading.Thread]] = {}
        self._doubts: dict[Key, _Doubt] = {}
        self._wake = threading.Event()
        #: Whether there may be new events, and whether a place has become free.
        self._news = True
        self._freed = False
        #: By the monotonic clock: the last look for events, when a try is due, and when
        #: the duty of another is over, if it says nothing more.
        self._looked_at = float("-inf")
        self._due_at = self._free_at = float("inf")
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def step(self, now: datetime) -> bool:
        """Make deliveries of new events, and start what is due.

        Returns whether this process has the duty, and there is any webhook.
        """
        if not self._store.webhooks.walk(limit=1, after=None).items:
            # The duty runs out by itself: idle services write nothing for it.
            self._duty.lapse()
            return False
        if not self._duty.hold(now):
            return False
        if self._fan.out(now):
            self._news = True
        self._launch(now)
        return True

    def _launch(self, now: datetime) -> None:
        """Start what is due, as far as there are places."""
        with self._lock:
            self._forgive(now)
            flying, doubts = set(self._flying), dict(self._doubts)
        places = PLACES - len(flying)
        places -= self._start_due(now, places=places, without=flying | doubts.keys())
        if not doubts:
            return
        resting = {key for key, doubt in doubts.items() if doubt.until > now}
        left = DOUBTFUL_PLACES - len(flying & doubts.keys())
        self._start_due(now, places=min(places, left), without=flying | resting)

    def _forgive(self, now: datetime) -> None:
        """Forget doubts that are old: the webhook may be gone."""
        for key, doubt in list(self._doubts.items()):
            if not doubt.until - _LONGEST_REST <= now <= doubt.until + _LONGEST_REST:
                del self._doubts[key]

    def _start_due(
        self, now: datetime, *, places: int, without: Collection[Key]
    ) -> int:
        if places <= 0:
            return 0
        started = 0
        due = self._store.webhooks.due(now=now, limit=places, without=without)
        for delivery, webhook in due:
            key = (webhook.tenant, webhook.name)
            line = Line()
            thread = threading.Thread(
                target=self._carry,
                args=(delivery, webhook, line),
                name="crony-webhook",
                daemon=True,
            )
            with self._lock:
                if key in self._flying:
                    continue
                self._flying[key] = (line, thread)
            try:
                thread.start()
            except RuntimeError:
                # No thread to be had: the place is free, and it stays due.
                with self._lock:
                    del self._flying[key]
                raise
            started += 1
        return started

    # On a thread of its own.

    def _carry(self, delivery: Delivery, webhook: Webhook, line: Line) -> None:
        """Try one delivery, and record how it went."""
        key = (webhook.tenant, webhook.name)
        began = time.monotonic()
        answer = Answer(error="the delivery failed inside the service")
        try:
            answer = send(
                webhook,
                told(delivery.event),
                at=self._clock.now(),
                rules=self._rules,
                line=line,
            )
            if not self._stopping.is_set() or answer.accepted:
                self._record(delivery, webhook, answer)
        except errors.Unavailable as exc:
            _log.warning("a delivery could not be recorded", detail=str(exc))
            answer = Answer()
        except Exception:  # noqa: BLE001  # the thread's top: others must go on
            _log.exception("a delivery failed", tenant=key[0], webhook=key[1])
            answer = Answer()
        took = timedelta(seconds=time.monotonic() - began)
        with self._lock:
            self._judge(key, answer, took)
            del self._flying[key]
        self._freed = True
        self._wake.set()

    def _record(self, delivery: Delivery, webhook: Webhook, answer: Answer) -> None:
        now = self._clock.now()
        after = decided(delivery, answer, now=now, fraction=self._fraction())
        self._store.webhooks.record(after, tries=delivery.tries)
        if not answer.accepted:
            _log.warning(
                "a webhook did not take an event",
                tenant=webhook.tenant,
                webhook=webhook.name,
                status=answer.status,
                tries=after.tries,
            )
        if answer.status == GONE:
            self._pause(webhook)

    def _pause(self, webhook: Webhook) -> None:
        """Send nothing more to an endpoint that wants nothing more."""
        for _ in again("webhook"):
            found = self._store.webhooks.find(webhook.tenant, webhook.name)
            if found is None or found.paused or found.url != webhook.url:
                return
            paused = replace(
                found,
                paused=True,
                revision=found.revision + 1,
                updated_at=cut(self._clock.now()),
            )
            if self._store.webhooks.put(paused, expected=found.revision):
                _log.warning(
                    "a webhook wants no more and was paused",
                    tenant=found.tenant,
                    webhook=found.name,
                )
                return

    def _judge(self, key: Key, answer: Answer, took: timedelta) -> None:
        """Remember what was bad, forget it when it is good again."""
        now = self._clock.now()
        if answer.status is not None and answer.status not in _BUSY:
            if took >= _SLOW:
                self._doubts[key] = _Doubt(0, now)
            else:
                self._doubts.pop(key, None)
            return
        doubt = self._doubts.get(key)
        failures = doubt.failures + 1 if doubt is not None else 1
        rest = min(_REST * 2 ** min(failures - 1, 10), _LONGEST_REST)
        if answer.retry_after is not None:
            rest = min(max(rest, answer.retry_after), _LONGEST_REST)
        self._doubts[key] = _Doubt(failures, now + rest)

    # The thread.

    def start(self) -> None:
        """Dispatch from now on, until ``stop``."""
        self._unsubscribe = self._wakes.subscribe(self._hear)
        self._thread = threading.Thread(
            target=self._run, name="crony-webhooks", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End what is under way, and give the duty to whoever wants it."""
        self._stopping.set()
        self._wake.set()
        self._unsubscribe()
        if self._thread is not None:
            self._thread.join(timeout=10)
        with self._lock:
            lines = [line for line, _ in self._flying.values()]
        for line in lines:
            line.cut()
        self.settle(within=2)
        self._duty.release()

    def under_way(self) -> frozenset[Key]:
        """Return the webhooks that something is being sent to."""
        with self._lock:
            return frozenset(self._flying)

    def settle(self, *, within: float) -> bool:
        """Wait until what is under way has ended; return whether it has."""
        until = time.monotonic() + within
        with self._lock:
            threads = [thread for _, thread in self._flying.values()]
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _hear(self, wake: Wake) -> None:
        self._duty.given_up(wake)
        # One wake is enough until the next look: there may be thousands a second.
        if not self._news:
            self._news = True
            self._wake.set()

    def _run(self) -> None:
        while True:
            # Cleared first: a wake during the round asks for another.
            self._wake.clear()
            if self._stopping.is_set():
                return
            self._wake.wait(self._round().total_seconds())

    def _round(self) -> timedelta:
        """Do what is to be done now; return how long to wait then."""
        try:
            return self._do()
        except errors.Unavailable as exc:
            _log.warning("webhooks wait for the store", detail=str(exc))
        except Exception:  # noqa: BLE001  # the thread must outlive everything
            _log.exception("dispatching failed")
        return IDLE

    def _do(self) -> timedelta:
        """Look for events, unless that was just now; start what is due."""
        now, clock = self._clock.now(), time.monotonic()
        if clock >= self._look_at():
            # Taken back first, like the wake.
            self._news = self._freed = False
            self._looked_at = clock
            self._due_at = self._free_at = float("inf")
            if self.step(now):
                self._note_due(now)
            else:
                self._note_free(now)
        elif self._duty.held and (self._freed or clock >= self._due_at):
            self._freed = False
            if self._duty.hold(now):
                self._launch(now)
                self._note_due(now)
        wait = min(self._look_at(), self._due_at) - time.monotonic()
        return max(timedelta(seconds=wait), _MOMENT)

    def _look_at(self) -> float:
        rest = _LEAST if self._news else IDLE
        return min(self._looked_at + rest.total_seconds(), self._free_at)

    def _note_due(self, now: datetime) -> None:
        """Note when the next try is due; what waits for something else is woken."""
        earliest = self._store.webhooks.earliest()
        self._due_at = float("inf")
        if earliest is not None and earliest > now:
            self._due_at = time.monotonic() + (earliest - now).total_seconds()

    def _note_free(self, now: datetime) -> None:
        free_at = self._duty.next_at(now)
        if not self._duty.held and free_at > now:
            self._free_at = time.monotonic() + (free_at - now).total_seconds()
