"""The ledger of a schedule, the audit of it, and why."""

from __future__ import annotations

from datetime import datetime

from crony import errors
from crony.api import params
from crony.api.answers import Response, send, send_page
from crony.api.node import Node
from crony.api.render import ledger as render
from crony.api.request import Request
from crony.storage.contract import Page


class Ledger:
    """What was due, and what became of it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def list_occurrences(
        self, req: Request, resp: Response, schedule: str
    ) -> None:
        """``GET /schedules/{schedule}/occurrences``."""
        since, until = _span(req)
        found = await self._node.pool.run(
            self._node.service.ledger.page,
            req.caller.tenant,
            schedule,
            since=since,
            until=until,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(
            req,
            resp,
            Page(found.items, found.next),
            lambda items: [render.occurrence(item) for item in items],
            pruned=render.pruned(found.pruned),
        )

    async def audit_occurrences(self, req: Request, resp: Response) -> None:
        """``GET /audit/occurrences``."""
        since, until = _span(req)
        found = await self._node.pool.run(
            self._node.service.audit.span,
            req.caller.tenant,
            schedule=params.text(req, "schedule"),
            since=since,
            until=until,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        following = params.next_cursor(req, found.next)
        send(resp, render.findings(found, following=following))

    async def why(self, req: Request, resp: Response, schedule: str) -> None:
        """``GET /schedules/{schedule}/why``."""
        answer = await self._node.pool.run(
            self._node.service.why.of,
            req.caller.tenant,
            schedule,
            at=params.instant(req, "at"),
        )
        send(resp, render.why(answer))


def _span(req: Request) -> tuple[datetime | None, datetime | None]:
    since, until = params.instant(req, "from"), params.instant(req, "to")
    if since is not None and until is not None and since >= until:
        raise errors.InvalidParameter("to", "must be after from")
    return since, until
