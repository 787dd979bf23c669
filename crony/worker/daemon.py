"""The worker: its parts put together, and its life from start to end.

Four loops of their own share the work: the poller asks for runs, the starter
confirms them and lets them go, the keeper renews their leases, the courier carries
reports. Each run has a thread besides. The main thread waits for a signal or for a
reason to end.
"""

from __future__ import annotations

import gc
import os
import resource
import secrets
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType

from crony import errors, log
from crony.client import Client
from crony.config import Settings
from crony.worker import outbox, places
from crony.worker.courier import Courier
from crony.worker.keeper import Keeper
from crony.worker.lease import Lease
from crony.worker.outbox import Outbox
from crony.worker.outcome import StopCause
from crony.worker.poller import Poller
from crony.worker.registration import (
    Credentials,
    interpreter_of,
    level_of,
    operator_of,
)
from crony.worker.roster import Roster, holding_of
from crony.worker.run_reporter import RunReporter
from crony.worker.runner import Runner
from crony.worker.sandbox import Sandbox, Watchdog, open_sandbox
from crony.worker.starter import Starter
from crony.worker.tasks.addresses import Rules
from crony.worker.tasks.workshop import LEVELS, Workshop

_log = log.get(__name__)

#: How long the end of a worker may wait for the service to take its reports.
_DELIVERY = timedelta(seconds=10)
_GOODBYE = timedelta(seconds=2)
_LOOK = timedelta(milliseconds=500)
_INTERRUPTED = 130


def run_worker(settings: Settings, credentials: Credentials, *, home: Path) -> int:
    """Run the registered worker until it is told to stop; return the exit code.

    Raises ``MissingSafeguard`` when tasks can't be confined, or no longer.
    """
    place = places.make(home, credentials.name)
    own_lock = places.lock_worker(place)
    dead_lock = places.lock_sandboxes(place)
    watchdog = Watchdog(lock_fd=dead_lock)
    # From here on the watchdog alone has it, for as long as it needs.
    os.close(dead_lock)
    sandbox: Sandbox | None = None
    try:
        operator = operator_of(settings, home=home)
        sandbox = open_sandbox(level_of(settings), operator, watchdog=watchdog)
        _check_level(sandbox.level, credentials)
        _log.info("sandbox proven", sandbox=sandbox.level, detail=sandbox.describe())
        return Daemon(settings, credentials, sandbox, watchdog, place).run()
    finally:
        # First what still runs, then the place where it does.
        watchdog.close()
        if sandbox is not None:
            sandbox.close()
        os.close(own_lock)


def _check_level(level: str, credentials: Credentials) -> None:
    if LEVELS.index(level) < LEVELS.index(credentials.sandbox_level):
        raise errors.MissingSafeguard(
            f"this worker registered with the sandbox level "
            f"{credentials.sandbox_level} and has only {level} now; restore it, or "
            "register again: crony-worker register"
        )


class Daemon:
    """One run of the program."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        sandbox: Sandbox,
        watchdog: Watchdog,
        place: Path,
    ) -> None:
        self._credentials = credentials
        self._workshop = Workshop(
            sandbox=sandbox,
            watchdog=watchdog,
            rules=Rules(settings.worker.http_allow),
            interpreter=interpreter_of(settings),
            pass_env=settings.worker.pass_env,
            environ=dict(os.environ),
        )
        self._watchdog = watchdog
        # A signal's handler may take no lock that the interrupted code could hold:
        # it writes to a descriptor.
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._signals = 0
        self._failure: errors.CronyError | None = None
        session = f"ses_{secrets.token_hex(16)}"
        self._session = session
        self._outbox = Outbox(place / "outbox")
        self._roster = Roster(slots=credentials.slots, freed=self._freed)
        self._courier = Courier(self._client(), self._outbox)
        self._crew = RunReporter(
            self._outbox,
            self._courier,
            self._roster,
            sandbox_level=sandbox.level,
            broken=self._fail,
        )
        self._starter = Starter(self._client())
        self._keeper = Keeper(
            self._client(),
            self._roster,
            worker=credentials.id,
            session=session,
            lease_ttl=credentials.lease_ttl,
            holding=self._holding,
            superseded=self._superseded,
        )
        self._poller = Poller(
            self._client,
            worker=credentials.id,
            session=session,
            poll_wait=credentials.poll_wait,
            slots=self._slots,
            holding=self._holding,
            leased=self._leased,
            heard=self._keeper.take,
            failed=self._refused,
        )

    def _client(self) -> Client:
        return Client(self._credentials.api_url, key=self._credentials.key)

    # The life of the program.

    def run(self) -> int:
        """Work until a signal or a failure; return the exit code."""
        _tune()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self._spawn(self._courier.run, "courier")
        if self._deliver_old():
            self._starter.start()
            self._spawn(self._keeper.run, "keeper")
            self._spawn(self._poller.run, "poller")
            _log.info("worker ready", worker=self._credentials.id)
            while not self._told_to_end(_LOOK):
                pass
        return self._end()

    def _spawn(self, run: Callable[[], None], name: str) -> None:
        threading.Thread(target=run, name=f"crony-{name}", daemon=True).start()

    def _deliver_old(self) -> bool:
        """Deliver what an earlier worker left; false when it is time to end."""
        if waiting := len(self._outbox.keys()):
            _log.info("delivering reports of the last worker", reports=waiting)
        self._courier.hurry()
        while self._outbox.keys():
            if self._told_to_end(timedelta(milliseconds=20)):
                return False
        return True

    def _told_to_end(self, patience: timedelta) -> bool:
        """Wait for a signal or a failure, for so long at most."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(self._watchdog.fileno(), select.POLLIN)
        rung = dict(poll.poll(patience / timedelta(milliseconds=1)))
        if self._watchdog.fileno() in rung:
            self._fail(errors.MissingSafeguard("the watchdog is gone"))
        return self._signals > 0 or self._failure is not None

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        os.eventfd_write(self._bell, 1)

    def _end(self) -> int:
        """Finish or stop what runs, deliver what there is to say."""
        self._roster.close()
        if self._failure is None and self._signals < 2:
            _log.info("draining", runs=len(self._roster.keys()))
            self._roster.stop_waiting()
            self._poller.nudge()
            while self._signals < 2 and self._failure is None:
                if self._roster.wait_empty(_LOOK / 5):
                    break
        self._stop_what_runs()
        self._wait_for_delivery()
        self._poller.close()
        self._say_goodbye()
        self._keeper.close()
        self._starter.close()
        self._courier.close()
        if self._failure is not None:
            raise self._failure
        return 0 if self._signals < 2 else _INTERRUPTED

    def _stop_what_runs(self) -> None:
        if not self._roster.wait_empty(timedelta(0)):
            _log.warning("stopping tasks", runs=len(self._roster.keys()))
            self._roster.stop_all(StopCause.SHUTDOWN)
            self._roster.wait_empty(_DELIVERY)

    def _wait_for_delivery(self) -> None:
        """Wait for the service to take the reports, if it answers at all."""
        patience = timedelta(0) if self._failure else _DELIVERY
        self._courier.hurry()
        for _ in range(int(patience / timedelta(milliseconds=20))):
            if not self._outbox.keys() or self._signals >= 2:
                break
            threading.Event().wait(0.02)
        if left := len(self._outbox.keys()):
            _log.warning("reports are kept for the next start", reports=left)

    def _say_goodbye(self) -> None:
        """Poll once more without a slot, so that what is not held is free at once."""
        if self._failure is not None:
            return
        body = {
            "session": self._session,
            "seq": self._poller.last_sequence(),
            "slots": 0,
            "wait": "0s",
            "holding": holding_of(self._holding()),
        }
        try:
            self._client().lease(self._credentials.id, body, timeout=_GOODBYE)
        except errors.ClientError as exc:
            _log.info("the service did not hear of the end", detail=str(exc))

    def _fail(self, failure: errors.CronyError) -> None:
        if self._failure is None:
            self._failure = failure
            _log.error("worker must end", detail=str(failure))
        os.eventfd_write(self._bell, 1)

    # What the poller and the keeper ask and tell.

    def _slots(self) -> int:
        if len(self._outbox.keys()) >= outbox.FULL:
            return 0
        return self._roster.free()

    def _holding(self) -> Sequence[tuple[str, int]]:
        return (*self._roster.keys(), *self._outbox.keys())

    def _freed(self) -> None:
        self._poller.nudge()

    def _leased(self, leases: Sequence[Lease]) -> None:
        runners = []
        for lease in leases:
            make = partial(self._runner, lease)
            runner = self._roster.add(lease, make)
            if runner is None:
                continue
            try:
                runner.start()
            except RuntimeError:
                # Not held any more, so the service offers it again.
                _log.error("no thread for a run", run=lease.run)
                self._roster.remove(runner)
            else:
                runners.append(runner)
        self._starter.add(runners)

    def _runner(self, lease: Lease, slot: int) -> Runner:
        return Runner(lease, slot=slot, workshop=self._workshop, crew=self._crew)

    def _superseded(self) -> None:
        self._fail(
            errors.StaleToken(
                "another worker took over with these credentials; register each "
                "worker by itself: crony-worker register"
            )
        )

    def _refused(self, refusal: errors.Refused) -> None:
        if refusal.status == 409:
            self._superseded()
        elif refusal.kind in ("no-key", "role", "not-found"):
            self._fail(refusal)


def _tune() -> None:
    """Favour punctuality: short turns of the interpreter, no late collections.

    A run has about ten descriptors, and 1,000 of them are too many for the usual
    soft limit.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
