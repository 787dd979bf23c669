"""The worker's parts put together, and its life from start to end.

Four loops of their own share the work: the poller asks for runs, the starter
confirms them and lets them go, the keeper renews their leases, the courier carries
reports. Each run has a thread besides. The main thread waits for a signal or for a
reason to end.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from crony import errors, log
from crony.client import Client
from crony.config import Settings
from crony.outbound import Rules
from crony.worker.bell import Bell
from crony.worker.courier import Courier
from crony.worker.intake import Intake
from crony.worker.keeper import Keeper
from crony.worker.outbox import Outbox
from crony.worker.outcome import StopCause
from crony.worker.places import next_start
from crony.worker.poller import Poller
from crony.worker.registration import Credentials, interpreter_of
from crony.worker.roster import Roster, holding_of
from crony.worker.run_reporter import RunReporter
from crony.worker.sandbox import Sandbox, Watchdog
from crony.worker.starter import Starter
from crony.worker.tasks.workshop import Workshop

_log = log.get(__name__)

#: How long the end of a worker may wait for the service to take its reports.
_DELIVERY = timedelta(seconds=10)
_GOODBYE = timedelta(seconds=2)
_LOOK = timedelta(milliseconds=500)
_NO_TIME = timedelta(0)
_INTERRUPTED = 130


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
        self._session = f"ses_{next_start(place)}_{secrets.token_hex(16)}"
        self._bell = Bell(watchdog.fileno())
        self._outbox = Outbox(place / "outbox", room=self._freed)
        self._roster = Roster(slots=credentials.slots, freed=self._freed)
        self._courier = Courier(self._client(), self._outbox)
        self._starter = Starter(self._client())
        self._intake = Intake(
            self._roster,
            self._starter,
            self._outbox,
            self._courier,
            workshop=_workshop(settings, sandbox, watchdog),
            crew=RunReporter(
                self._outbox,
                self._courier,
                self._roster,
                sandbox_level=sandbox.level,
                broken=self._bell.fail,
            ),
        )
        self._keeper = self._make_keeper()
        self._poller = self._make_poller()

    def _client(self) -> Client:
        return Client(self._credentials.api_url, key=self._credentials.key)

    def _make_keeper(self) -> Keeper:
        return Keeper(
            self._client(),
            self._roster,
            worker=self._credentials.id,
            session=self._session,
            lease_ttl=self._credentials.lease_ttl,
            holding=self._intake.holding,
            superseded=self._superseded,
        )

    def _make_poller(self) -> Poller:
        return Poller(
            self._client,
            worker=self._credentials.id,
            session=self._session,
            poll_wait=self._credentials.poll_wait,
            slots=self._intake.slots,
            holding=self._intake.holding,
            leased=self._intake.take,
            unreadable=self._intake.refuse,
            heard=self._keeper.take,
            failed=self._refused,
        )

    def run(self) -> int:
        """Work until a signal or a failure; return the exit code."""
        self._bell.listen()
        self._spawn(self._courier.run, "courier")
        if self._deliver_old():
            self._starter.start()
            self._spawn(self._keeper.run, "keeper")
            self._spawn(self._poller.run, "poller")
            _log.info("worker ready", worker=self._credentials.id)
            while not self._bell.rung(within=_LOOK):
                pass
        return self._end()

    def _spawn(self, run: Callable[[], None], name: str) -> None:
        threading.Thread(target=run, name=f"crony-{name}", daemon=True).start()

    def _deliver_old(self) -> bool:
        """Deliver what an earlier worker left; false when it is time to end."""
        if waiting := len(self._outbox.keys()):
            _log.info("delivering reports of the last worker", reports=waiting)
        self._courier.hurry()
        while not self._outbox.wait_empty(_LOOK):
            if self._bell.rung(within=_NO_TIME):
                return False
        return True

    def _end(self) -> int:
        """Finish or stop what runs, deliver what there is to say."""
        self._roster.close()
        if not self._bell.at_once():
            _log.info("draining", runs=len(self._roster.keys()))
            self._roster.stop_waiting()
            self._poller.nudge()
            while not (self._bell.at_once() or self._roster.wait_empty(_LOOK / 5)):
                # Told twice, or without a watchdog, it drains no longer.
                self._bell.rung(within=_NO_TIME)
        self._stop_what_runs()
        self._wait_for_delivery()
        self._poller.close()
        if self._bell.failure is None:
            self._say_goodbye()
        self._keeper.close()
        self._starter.close()
        self._courier.close()
        if self._bell.failure is not None:
            raise self._bell.failure
        return _INTERRUPTED if self._bell.impatient else 0

    def _stop_what_runs(self) -> None:
        if not self._roster.wait_empty(_NO_TIME):
            _log.warning("stopping tasks", runs=len(self._roster.keys()))
            self._roster.stop_all(StopCause.SHUTDOWN)
            self._roster.wait_empty(_DELIVERY)

    def _wait_for_delivery(self) -> None:
        """Wait for the service to take the reports, if it answers at all."""
        self._courier.hurry()
        for _ in range(_DELIVERY // _LOOK):
            if self._bell.at_once() or self._outbox.wait_empty(_LOOK):
                break
        if left := len(self._outbox.keys()):
            self._outbox.sync()
            _log.warning("reports are kept for the next start", reports=left)

    def _say_goodbye(self) -> None:
        """Poll once more without a slot, so that what is not held is free at once."""
        body = {
            "session": self._session,
            "seq": self._poller.last_sequence(),
            "slots": 0,
            "wait": "0s",
            "holding": holding_of(self._intake.holding()),
        }
        client = self._client()
        try:
            client.lease(self._credentials.id, body, timeout=_GOODBYE)
        except errors.ClientError as exc:
            _log.info("the service did not hear of the end", detail=str(exc))
        finally:
            client.close()

    def _freed(self) -> None:
        self._poller.nudge()

    def _superseded(self) -> None:
        self._bell.fail(
            errors.StaleToken(
                "another worker took over with these credentials; register each "
                "worker by itself: crony-worker register"
            )
        )

    def _refused(self, refusal: errors.Refused) -> None:
        if refusal.status == 409:
            self._superseded()
        elif refusal.kind in ("no-key", "role", "not-found"):
            self._bell.fail(refusal)


def _workshop(settings: Settings, sandbox: Sandbox, watchdog: Watchdog) -> Workshop:
    return Workshop(
        sandbox=sandbox,
        watchdog=watchdog,
        rules=Rules(
            settings.worker.http_allow,
            whose="http tasks of this worker",
            setting="http_allow",
        ),
        interpreter=interpreter_of(settings),
        interpreter_ahead=settings.worker.python_ahead,
        pass_env=settings.worker.pass_env,
        environ=dict(os.environ),
    )
