"""Leases: the long poll of workers, and renewals beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from crony import clock, errors, wire
from crony.api.answers import Response, send
from crony.api.bodies.faults import checked
from crony.api.bodies.worker import LeaseBody, RenewalBody
from crony.api.node import Node
from crony.api.polls import News, Poll
from crony.api.render import worker as render
from crony.api.request import Disconnected, Request
from crony.api.told import Told
from crony.model.lease import Holding, Offer
from crony.model.task import JsonObject
from crony.model.worker import Worker
from crony.scheduler.leasing import Polled


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a worker asks for, as the use case wants it."""

    tenant: str
    worker: str
    session: str
    sequence: int
    slots: int
    holding: Sequence[Holding]


class Leases:
    """What a worker asks of its leases."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._leasing = node.service.leasing
        self._told = Told()

    async def lease(self, req: Request, resp: Response, worker: str) -> None:
        """``POST /workers/{worker}/leases``."""
        arrived = clock.boottime()
        body, faults = checked(LeaseBody, await req.object())
        if body is None:
            raise errors.InvalidBody(faults)
        asked = Asked(
            tenant=req.caller.tenant,
            worker=worker,
            session=body.session,
            sequence=body.seq,
            slots=body.slots,
            holding=[item.value() for item in body.holding],
        )
        wait = self._node.service.timing.poll_wait if body.wait is None else body.wait
        polled = await self._poll(req, asked, until=arrived + wait)
        self._told.tell(worker, session=body.session, revoked=polled.revoked)
        now = self._node.service.clock.now()
        send(
            resp,
            {
                "held": wire.format_duration(clock.boottime() - arrived),
                "draining": polled.draining,
                "renewed": render.renewed(polled.renewed, now=now),
                "revoked": render.revoked(polled.revoked),
                "leases": [self._offer(offer, now) for offer in polled.offers],
            },
        )

    def _offer(self, offer: Offer, now: datetime) -> JsonObject:
        task = self._node.service.runs.effective_task(offer.run, offer.definition)
        return render.offer(offer, task=task, now=now)

    async def _poll(self, req: Request, asked: Asked, *, until: timedelta) -> Polled:
        """Look at once, then whenever there is news, until there is something."""
        polls = self._node.polls
        poll = polls.enter(asked.worker, session=asked.session, sequence=asked.sequence)
        try:
            polled = await self._node.pool.run(self._first_look, asked)
            if polls.took(poll):
                # An older poll may wait at another process; it looks, and ends.
                self._node.service.wakes.publish_worker(asked.worker)
            if self._tells(asked, polled) or clock.boottime() >= until:
                return polled
            assert polled.worker is not None
            return await self._wait(
                req, asked, poll, polled.worker, polled, until=until
            )
        finally:
            polls.leave(poll)

    def _first_look(self, asked: Asked) -> Polled:
        return self._leasing.poll(
            asked.tenant,
            asked.worker,
            session=asked.session,
            sequence=asked.sequence,
            slots=asked.slots,
            holding=asked.holding,
        )

    async def _wait(
        self,
        req: Request,
        asked: Asked,
        poll: Poll,
        worker: Worker,
        first: Polled,
        *,
        until: timedelta,
    ) -> Polled:
        polls = self._node.polls
        gone = asyncio.ensure_future(req.disconnected())
        gone.add_done_callback(partial(_end, asyncio.current_task()))
        try:
            # One without a free slot still hears of what it must give up.
            hungry = asked.slots > 0 and not first.draining
            polls.admit(poll, worker, hungry=hungry)
            while True:
                left = (until - clock.boottime()) / timedelta(seconds=1)
                news = await polls.wait(poll, seconds=left)
                if news is News.REPLACED:
                    raise errors.StaleToken("a newer poll of this worker came")
                if news is News.TIME and clock.boottime() < until:
                    # A timer may ring a moment early.
                    continue
                if news is not News.LOOK:
                    return first
                found = await self._node.pool.run(self._look_again, asked)
                sated = 0 < asked.slots <= len(found.offers) or found.draining
                polls.looked(poll, sated=sated)
                if self._tells(asked, found) or found.draining != first.draining:
                    return Polled(
                        renewed=first.renewed,
                        revoked=found.revoked,
                        offers=found.offers,
                        draining=found.draining,
                    )
        except asyncio.CancelledError:
            if gone.done() and not gone.cancelled():
                raise Disconnected from None
            raise
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    def _tells(self, asked: Asked, polled: Polled) -> bool:
        """Whether there is something that the worker does not know yet."""
        return bool(polled.offers) or self._told.is_news(
            asked.worker, session=asked.session, revoked=polled.revoked
        )

    def _look_again(self, asked: Asked) -> Polled:
        return self._leasing.again(
            asked.tenant,
            asked.worker,
            session=asked.session,
            sequence=asked.sequence,
            slots=asked.slots,
            holding=asked.holding,
        )

    async def renew(self, req: Request, resp: Response, worker: str) -> None:
        """``POST /workers/{worker}/renewals``."""
        arrived = clock.boottime()
        body, faults = checked(RenewalBody, await req.object())
        if body is None:
            raise errors.InvalidBody(faults)
        polled = await self._node.pool.run(
            self._leasing.renew,
            req.caller.tenant,
            worker,
            session=body.session,
            holding=[item.value() for item in body.holding],
        )
        now = self._node.service.clock.now()
        send(
            resp,
            {
                "held": wire.format_duration(clock.boottime() - arrived),
                "draining": polled.draining,
                "renewed": render.renewed(polled.renewed, now=now),
                "revoked": render.revoked(polled.revoked),
            },
        )


def _end(task: asyncio.Task[None] | None, gone: asyncio.Future[None]) -> None:
    """End the wait of a client that went away."""
    if task is not None and not gone.cancelled():
        task.cancel()
