"""Long polls at a node, as its HTTP side holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crony import errors
from crony.api.render import worker as render
from crony.model.lease import Holding, Revoked
from crony.model.task import JsonObject
from crony.scheduler.leasing import Polled
from crony.testing.simulation.faults import Gone

if TYPE_CHECKING:
    from crony.testing.simulation.node import Node

_SOON = timedelta(milliseconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a worker asks for."""

    tenant: str
    worker: str
    session: str
    sequence: int
    slots: int
    holding: Sequence[Holding]
    wait: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answer to a poll or a renewal, in durations."""

    held: timedelta
    #: As they go over the wire.
    leases: Sequence[JsonObject]
    renewed: Sequence[tuple[str, int, timedelta]]
    revoked: Sequence[Revoked]


@dataclass(eq=False, slots=True)
class _Waiting:
    asked: Asked
    arrived: timedelta
    first: Polled
    answer: Callable[[Told], None]
    fail: Callable[[Exception], None]


def told(polled: Polled, *, held: timedelta, now: datetime) -> Told:
    """Return an answer as it is written: durations from now."""
    return Told(
        held=held,
        leases=[
            render.offer(offer, task=offer.definition.task, now=now)
            for offer in polled.offers
        ],
        renewed=[(r.run, r.token, r.expires_at - now) for r in polled.renewed],
        revoked=polled.revoked,
    )


class Polls:
    """The polls that wait at one life of a node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: list[_Waiting] = []
        #: What each worker's session was told to give up.
        self._revoked: set[tuple[str, str, Revoked]] = set()
        self._looking = False

    def drop(self) -> None:
        """Break all connections."""
        waiting, self._waiting = self._waiting, []
        for poll in waiting:
            poll.fail(ConnectionError("the service is gone"))

    def poll(
        self,
        asked: Asked,
        answer: Callable[[Told], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Take a poll: answer it at once, or let it wait for news."""
        arrived = self._node.host.boottime()
        polled = self._node.use(
            lambda service: service.leasing.poll(
                asked.tenant,
                asked.worker,
                session=asked.session,
                sequence=asked.sequence,
                slots=asked.slots,
                holding=asked.holding,
            )
        )
        for old in [w for w in self._waiting if w.asked.worker == asked.worker]:
            self._end(old, errors.StaleToken("a newer poll of this worker came"))
        poll = _Waiting(asked, arrived, polled, answer, fail)
        if self._tells(asked, polled) or asked.wait <= timedelta():
            self._answer(poll, polled)
            return
        self._waiting.append(poll)
        self._node.later(asked.wait, lambda: self._time(poll))

    def news(self) -> None:
        """Look again, for all that wait."""
        if self._waiting and not self._looking:
            self._looking = True
            self._node.later(_SOON, self._look)

    def _look(self) -> None:
        self._looking = False
        # Where the node dies in the middle, so did all its connections.
        with suppress(Gone):
            for poll in list(self._waiting):
                if poll in self._waiting:
                    self._look_for(poll)

    def _look_for(self, poll: _Waiting) -> None:
        asked = poll.asked
        try:
            found = self._node.use(
                lambda service: service.leasing.again(
                    asked.tenant,
                    asked.worker,
                    session=asked.session,
                    sequence=asked.sequence,
                    slots=asked.slots,
                    holding=asked.holding,
                )
            )
        except errors.CronyError as exc:
            self._end(poll, exc)
            return
        # Offers of a poll that ended meanwhile are reclaimed by the next.
        if poll in self._waiting and self._tells(asked, found):
            self._waiting.remove(poll)
            self._answer(poll, replace(found, renewed=poll.first.renewed))

    def _tells(self, asked: Asked, polled: Polled) -> bool:
        news = [(asked.worker, asked.session, each) for each in polled.revoked]
        return bool(polled.offers) or any(each not in self._revoked for each in news)

    def _time(self, poll: _Waiting) -> None:
        if poll in self._waiting:
            self._waiting.remove(poll)
            self._answer(poll, poll.first)

    def _end(self, poll: _Waiting, why: Exception) -> None:
        if poll in self._waiting:
            self._waiting.remove(poll)
            poll.fail(why)

    def _answer(self, poll: _Waiting, polled: Polled) -> None:
        asked = poll.asked
        self._revoked |= {(asked.worker, asked.session, r) for r in polled.revoked}
        held = self._node.host.boottime() - poll.arrived
        poll.answer(told(polled, held=held, now=self._node.clock.now()))
