"""The ticker: one thread per process that does what is due.

One process at a time has the duty to tick, for as long as it says so again and
again; the others stand by. Ticking twice is harmless, only wasteful.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from crony import clock as clocks
from crony import errors, log
from crony.clock import EPOCH, Clock
from crony.model.policy import MISFIRE_AFTER, PREEMPT_AFTER
from crony.scheduler.duty import Duty
from crony.scheduler.materializer import Materializer
from crony.scheduler.reaper import Reaper
from crony.scheduler.rezoning import Rezoner
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wake, Wakes
from crony.storage.contract import Store

_log = log.get(__name__)

DUTY = "tick"

#: How long the duty stays with a process that says nothing more: another ticks within
#: two seconds,
TTL = timedelta(milliseconds=1750)
#: The longest wait: how late news may be that no wake brought,
IDLE = timedelta(seconds=1)
#: and how often who has the duty says so: an idle process wakes once for both. A tick
#: may take the difference to the time before another takes over, which does no harm.
PROLONG = IDLE
_LEAST = timedelta(milliseconds=1)
#: The longest wait while something may have to give way: nobody tells the moment at
#: which a more urgent run has waited long enough.
_ALERT = PREEMPT_AFTER / 2

#: How often the store's clock is measured: on each idle tick. After a step of it, nodes
#: that know of it and nodes that don't may both renew leases, and the one's count too
#: long for the other; that must stay below the margin by which workers end early.
MEASURE = 0.5


#: Does some of what is due; returns whether there is more to do at once.
Step = Callable[[datetime], bool]


@runtime_checkable
class Measuring(Protocol):
    """A clock that measures the store's now and then."""

    def synchronise(self) -> timedelta:
        """Measure; return by how much the store's clock had stepped."""


class Ticker:
    """Materialises, reaps, and knows when to do so next."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        timing: Timing,
        wakes: Wakes,
        materializer: Materializer,
        reaper: Reaper,
        rezoner: Rezoner,
        holder: str,
        steps: Sequence[Step] = (),
    ) -> None:
        """``steps`` are done on each tick, before anything is materialised."""
        self._store = store
        self._clock = clock
        self._timing = timing
        self._wakes = wakes
        self._materializer = materializer
        self._reaper = reaper
        self._rezoner = rezoner
        self._steps = steps
        self._duty = Duty(
            store, DUTY, holder=holder, wakes=wakes, ttl=TTL, prolong=PROLONG
        )
        #: When the duty was taken over, and when it had been done last.
        self._taken: tuple[datetime, datetime] | None = None
        self._gap_until: datetime | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._measured_at = time.monotonic()
        self._suspended = _suspended()
        self._said_held = False
        #: When the next round is, if nothing wakes the thread before.
        self._again_at = EPOCH

    def tick(self, now: datetime) -> datetime:
        """Do one round of what is due; return when to do the next."""
        if self._clock.held():
            self._say_held()
            return now + IDLE
        self._said_held = False
        if not self._on_duty(now):
            return max(self._duty.next_at(now), now + _LEAST)
        undone = sum(_done(step, now) for step in self._steps) > 0
        unfinished = self._materializer.step(now, gap_until=self._gap_until)
        settled = self._clock.settled_for() >= self._timing.lease_ttl
        unreaped = self._reaper.step(now, include_leases=settled)
        unzoned = self._taken is not None and self._rezoner.step(now, *self._taken)
        again = undone or unfinished or unreaped or unzoned
        return now if again else self._next(now)

    def _on_duty(self, now: datetime) -> bool:
        """Take or prolong the duty; note a gap since the last tick of anybody."""
        if self._duty.is_known(now):
            return self._duty.held
        had = self._duty.held
        held, last = self._duty.ask(now)
        if last is not None and now - last >= MISFIRE_AFTER:
            self._gap_until = now
            _log.warning("nothing ticked for a while", duration=now - last)
        if held and not had:
            self._taken = (now, last or now)
        elif not held:
            self._taken = None
        # After a step back the record lies in the future, and so does the end of a
        # duty whose holder may be gone: then all tick rather than none.
        return held or (last is not None and last - now > MISFIRE_AFTER)

    def _next(self, now: datetime) -> datetime:
        """Return when something comes within the look-ahead, at most ``IDLE`` on."""
        ahead = self._timing.lease_ahead
        alert = self._store.leases.preemptible()
        instants = [now + (_ALERT if alert else IDLE)]
        cursor = self._store.schedules.earliest()
        if cursor is not None:
            instants.append(cursor - ahead)
        moves = self._store.leases.earliest()
        if moves is not None:
            # Something is decided then, or may be leased ahead of then.
            instants += [moves, moves - ahead]
        return min(instant for instant in instants if instant > now)

    def _say_held(self) -> None:
        if not self._said_held:
            self._said_held = True
            _log.error(clocks.HELD, detail=clocks.ADVICE)

    # The thread.

    def start(self) -> None:
        """Tick from now on, until ``stop``."""
        self._unsubscribe = self._wakes.subscribe(self._woken)
        self._thread = threading.Thread(
            target=self._run, name="crony-ticker", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Finish the round, and give the duty to whoever wants it."""
        self._stopping.set()
        self._wake.set()
        self._unsubscribe()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._duty.release()

    def hears(self, wake: Wake) -> bool:
        """Take note of a wake; return whether there may be something to do."""
        return self._duty.given_up(wake) or wake.tick

    def _woken(self, wake: Wake) -> None:
        if self.hears(wake):
            self._wake.set()

    def _run(self) -> None:
        woken = True
        while not self._stopping.is_set():
            # Cleared first: a wake during the round asks for another.
            self._wake.clear()
            woken = self._wake.wait(self._round(woken=woken).total_seconds())

    def _round(self, *, woken: bool) -> timedelta:
        """Do what is due; return how long to wait then."""
        try:
            self._measure()
            now = self._clock.now()
            # A clock that was set back must not put it off.
            early = _LEAST < self._again_at - now <= IDLE
            if woken or not early or not self._on_duty(now):
                self._again_at = self.tick(now)
        except errors.Unavailable as exc:
            _log.warning("a tick waits for the store", detail=str(exc))
            return IDLE
        except Exception:  # noqa: BLE001  # the thread must outlive everything
            _log.exception("a tick failed")
            return IDLE
        now = self._clock.now()
        wait = min(self._again_at, self._duty.next_at(now)) - now
        return min(max(wait, _LEAST), IDLE)

    def _measure(self) -> None:
        """Measure the store's clock: now and then, and after a suspend at once."""
        suspended = _suspended()
        slept = suspended - self._suspended >= clocks.STEP
        if not slept and time.monotonic() - self._measured_at < MEASURE:
            return
        if isinstance(self._clock, Measuring):
            step = self._clock.synchronise()
            if abs(step) >= clocks.STEP:
                _log.warning("the store's clock stepped", duration=step)
        self._measured_at, self._suspended = time.monotonic(), suspended


def _done(step: Step, now: datetime) -> bool:
    try:
        return step(now)
    except errors.Unavailable:
        raise
    except Exception:  # noqa: BLE001  # one bad step must not stop the ticking
        _log.exception("a step of the tick failed")
        return False


def _suspended() -> timedelta:
    """Return for how long this host was suspended since it started."""
    return clocks.boottime() - clocks.monotonic()
