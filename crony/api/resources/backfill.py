"""Spans that people ask to have run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from crony import errors
from crony.api.answers import Made, Response, location, send_made
from crony.api.bodies.backfill import BackfillBody
from crony.api.bodies.faults import checked
from crony.api.node import Node
from crony.api.once import once
from crony.api.render import ledger as render
from crony.api.request import Request
from crony.model.task import Json


class Backfill:
    """Makes runs of a span."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._backfill = node.service.backfill

    async def backfill_schedule(
        self, req: Request, resp: Response, schedule: str
    ) -> None:
        """``POST /schedules/{schedule}/backfill``."""
        body = await req.object()
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            body,
            propose=self._backfill.new_number,
            make=partial(self._make, req.caller.tenant, schedule, body),
        )
        send_made(resp, made)

    def _make(
        self, tenant: str, reference: str, body: Mapping[str, Json], n: str | None
    ) -> Made:
        given, faults = checked(BackfillBody, body)
        if given is None:
            raise errors.InvalidBody(faults)
        made = self._backfill.span(
            tenant,
            reference,
            since=given.since,
            until=given.until,
            dry_run=given.dry_run,
            n=n,
        )
        content = render.backfilled(made)
        if made.dry_run:
            return Made(status=200, body=content)
        where = location("schedules", made.schedule, "runs")
        return Made(status=202, body=content, headers={"Location": where})
