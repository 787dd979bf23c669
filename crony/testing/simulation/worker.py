"""A model worker: it speaks to the service as the daemon does.

When a task must start, stop and be dead is decided by the daemon's own code
(``crony.worker.plan``), and its leases are read by it from what the service writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from crony import errors
from crony.model.lease import Closed, Closing, Confirmed, Holding, Standing
from crony.model.state import AttemptState, Reason
from crony.scheduler.timing import Timing
from crony.testing.factories import make_closing
from crony.testing.simulation.mirror import TENANT
from crony.testing.simulation.network import Failed, Network, Took
from crony.testing.simulation.node import Node
from crony.testing.simulation.polls import Asked, Told, told
from crony.testing.simulation.sandbox import WorkerHost
from crony.testing.simulation.tasks import Outcome, Task, Tasks
from crony.testing.simulation.witness import Witness
from crony.testing.simulation.world import Actor, World
from crony.worker.lease import Exchange, parse
from crony.worker.outcome import StopCause

_CAUSES = {
    "cancelled": StopCause.CANCELLED,
    "replaced": StopCause.REPLACED,
    "deleted": StopCause.DELETED,
    "preempted": StopCause.PREEMPTED,
}
_TIMEOUT = timedelta(seconds=3)
#: When the daemon asks to start, and with what together.
_ASK_AT = timedelta(milliseconds=200)
_AGAIN = timedelta(milliseconds=100)
_PAUSE = timedelta(milliseconds=500)
_LONGEST = timedelta(seconds=30)
_TINY = timedelta(milliseconds=1)


class ModelWorker(Actor):
    """Polls, renews, confirms, executes and reports."""

    def __init__(
        self,
        world: World,
        name: str,
        *,
        id: str,
        slots: int,
        network: Network,
        witness: Witness,
        started: Callable[[str, int], None],
        timing: Timing,
        script: Callable[[], Outcome],
    ) -> None:
        super().__init__(world, name)
        self.id = id
        self.slots = slots
        self.host = WorkerHost(world, name, witness, started=started)
        self._network = network
        self._timing = timing
        self._script = script
        #: Outcomes that the service did not acknowledge; they are on disk.
        self._outbox: dict[tuple[str, int], tuple[Outcome, timedelta]] = {}
        self._starts = 0
        self.start()

    def start(self) -> None:
        """Begin a session, with nothing of an earlier one left alive."""
        self.host.clear()
        self.born()
        self.world.tell(f"{self.name} starts")
        self._starts += 1
        chance = self.world.chance.getrandbits(32)
        self._session = f"ses_{self._starts}_{chance:08x}"
        self._sequence = 0
        self._polls: dict[int, int] = {}
        self._tasks = Tasks(self, self.host, self._script)
        self._sending = False
        self._backoff = _PAUSE
        self._poll()
        self.later(self._timing.lease_ttl / 4, self._renew)
        self._send()

    def kill(self) -> None:
        """Kill it, and perhaps its sandboxes with it."""
        self.world.tell(f"{self.name} is killed")
        self.died()
        if self.world.happens(0.5):
            self.host.clear()

    def _superseded(self) -> None:
        """End: another has its session, if only one of its own that came late."""
        self.world.tell(f"{self.name} is superseded, and ends")
        self.died()
        self.host.clear()
        self.world.after(self.world.between(0.5, 3), self._again)

    def _again(self) -> None:
        if not self.alive:
            self.start()

    def suspend(self) -> None:
        """Suspend its host."""
        self.world.tell(f"{self.name}'s host is suspended")
        self.host.suspend()
        self.sleep()

    def resume(self) -> None:
        """Let its host go on."""
        self.world.tell(f"{self.name}'s host goes on")
        self.host.resume()
        self.wake()

    def now(self) -> timedelta:
        """Return its ``CLOCK_BOOTTIME``."""
        return self.host.boottime()

    def _holding(self) -> list[Holding]:
        keys = dict.fromkeys([*self._tasks.keys(), *self._outbox])
        return [Holding(run, token) for run, token in keys]

    # The long poll.

    def _poll(self) -> None:
        self._sequence += 1
        sequence, slots, sent = self._sequence, self._tasks.free(), self.now()
        asked = Asked(
            tenant=TENANT,
            worker=self.id,
            session=self._session,
            sequence=sequence,
            slots=slots,
            holding=self._holding(),
            wait=self._timing.poll_wait,
        )
        self._polls[sequence] = slots

        def serve(node: Node, took: Took[Told], failed: Failed) -> None:
            node.polls.poll(asked, took, failed)

        def took(answer: Told) -> None:
            self._polls.pop(sequence, None)
            self._backoff = _PAUSE
            exchange = Exchange(sent, answer.held, self.now())
            self._heard(answer, exchange)
            self._tasks.add([parse(body, exchange) for body in answer.leases])
            news = answer.leases or answer.revoked
            quick = not news and exchange.received - sent < _PAUSE
            self._poll_again(sequence, after=_PAUSE if quick else _TINY)

        def failed(why: Exception) -> None:
            self._polls.pop(sequence, None)
            if isinstance(why, errors.StaleToken) and sequence == self._sequence:
                self._superseded()
                return
            self._backoff = min(2 * self._backoff, _LONGEST)
            wait = self._backoff * (0.5 + self.world.chance.random() / 2)
            self._poll_again(sequence, after=wait)

        self._network.ask(
            self,
            serve,
            took=took,
            failed=failed,
            timeout=self._timing.poll_wait + _TIMEOUT,
        )

    def _poll_again(self, sequence: int, *, after: timedelta) -> None:
        if sequence != self._sequence:
            return
        if not self._tasks.free():
            after = max(after, _AGAIN)
        self.later(after, lambda: self._poll_if(sequence))

    def _poll_if(self, sequence: int) -> None:
        if sequence == self._sequence:
            self._poll()

    def freed(self) -> None:
        """Ask for more beside a poll that asked for nothing."""
        newest = self._polls.get(self._sequence)
        if newest == 0 and self._tasks.free() and len(self._polls) < 2:
            self._poll()

    def _heard(self, answer: Told, exchange: Exchange) -> None:
        for run, token, expires_in in answer.renewed:
            self._tasks.renew((run, token), exchange.granted + expires_in)
        for each in answer.revoked:
            cause = _CAUSES.get(each.reason, StopCause.LOST)
            self._tasks.stop((each.run, each.token), cause)

    # Beside it.

    def _renew(self) -> None:
        wait = self._timing.lease_ttl / 4
        holding, sent, session = self._holding(), self.now(), self._session
        if not holding:
            # Nothing to keep, and perhaps nobody there: no hurry.
            self.later(max(wait, self._backoff), self._renew)
            return
        self.later(wait, self._renew)

        def serve(node: Node, took: Took[Told], _: Failed) -> None:
            arrived = node.host.boottime()
            polled = node.use(
                lambda service: service.leasing.renew(
                    TENANT, self.id, session=session, holding=holding
                )
            )
            held = node.host.boottime() - arrived
            took(told(polled, held=held, now=node.clock.now()))

        def took(answer: Told) -> None:
            self._heard(answer, Exchange(sent, answer.held, self.now()))

        self._network.ask(
            self, serve, took=took, failed=lambda _: None, timeout=_TIMEOUT
        )

    def ask_to_start(self, task: Task) -> None:
        """Confirm an offer shortly before its instant."""
        wait = task.plan.start_at - _ASK_AT - self.now()
        self.later(max(wait, timedelta()), lambda: self._confirm(task))

    def _confirm(self, task: Task) -> None:
        if not task.waiting:
            return
        if self.now() > task.lease.confirm_by:
            self._tasks.stop(task.lease.key, StopCause.LOST)
            return
        sent = self.now()

        def serve(
            node: Node,
            took: Took[tuple[Confirmed, timedelta, timedelta]],
            _: Failed,
        ) -> None:
            (answer,) = node.use(
                lambda service: service.leasing.confirm(
                    TENANT, self.id, [Holding(*task.lease.key)]
                )
            )
            now = node.clock.now()
            took(
                (
                    answer,
                    (answer.start_at or now) - now,
                    (answer.expires_at or now) - now,
                )
            )

        def took(said: tuple[Confirmed, timedelta, timedelta]) -> None:
            answer, start_in, expires_in = said
            if answer.standing in (Standing.ACCEPTED, Standing.REPEATED):
                self._tasks.confirmed(
                    task, start_at=self.now() + start_in, expires_at=sent + expires_in
                )
            else:
                self._tasks.stop(task.lease.key, StopCause.LOST)

        def failed(why: Exception) -> None:
            if isinstance(why, errors.CronyError) and not isinstance(
                why, errors.Unavailable
            ):
                self._tasks.stop(task.lease.key, StopCause.LOST)
            else:
                self.later(_AGAIN, lambda: self._confirm(task))

        self._network.ask(self, serve, took=took, failed=failed, timeout=_TIMEOUT)

    # Outcomes.

    def ended(self, key: tuple[str, int], outcome: Outcome) -> None:
        """Keep an outcome until it is acknowledged."""
        self._outbox[key] = (outcome, self.now())
        self._send()

    def _send(self) -> None:
        if self._sending or not self._outbox:
            return
        self._sending = True
        items = list(self._outbox.items())
        sent = self.now()

        def serve(node: Node, took: Took[Sequence[Closed]], _: Failed) -> None:
            now = node.clock.now()
            closings = [
                _closing(key, outcome, finished_at=now - (sent - at))
                for key, (outcome, at) in items
            ]
            took(
                node.use(
                    lambda service: service.leasing.report(TENANT, self.id, closings)
                )
            )

        def took(answers: Sequence[Closed]) -> None:
            self._sending = False
            for answer in answers:
                self._outbox.pop((answer.run, answer.token), None)
            self._send()

        def failed(_: Exception) -> None:
            self._sending = False
            self.later(max(self._backoff, self.world.between(0.1, 2)), self._send)

        self._network.ask(self, serve, took=took, failed=failed, timeout=_TIMEOUT)

    @property
    def idle(self) -> bool:
        """Whether it has nothing left to do or to say."""
        return not self._outbox and not self._tasks.keys()


def _closing(
    key: tuple[str, int], outcome: Outcome, *, finished_at: datetime
) -> Closing:
    failed = outcome.state is AttemptState.FAILED
    return make_closing(
        *key,
        state=outcome.state,
        reason=Reason.EXIT if failed else outcome.reason,
        says="it says so" if outcome.state is AttemptState.SUCCEEDED else None,
        finished_at=finished_at,
    )
