"""Numbers: for people, for autoscalers, for Prometheus."""

from __future__ import annotations

from crony.api.answers import Response, send
from crony.api.auth import Caller
from crony.api.metrics import MEDIA_TYPE
from crony.api.node import Node
from crony.api.render import admin as render
from crony.api.request import Request
from crony.model.task import JsonObject
from crony.model.worker import Role


class Numbers:
    """``GET /stats`` and ``GET /metrics``."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def stats(self, req: Request, resp: Response) -> None:
        """``GET /stats``."""
        send(resp, await self._node.pool.run(self._stats, req.caller))

    def _stats(self, caller: Caller) -> JsonObject:
        service = self._node.service
        return render.stats(
            service.stats(None if caller.everywhere else caller.tenant),
            workers=service.workers.by_state(caller.tenant),
            now=service.clock.now(),
        )

    async def metrics(self, req: Request, resp: Response) -> None:
        """``GET /metrics``."""
        resp.content_type = MEDIA_TYPE
        resp.data = await self._node.pool.run(self._metrics, req.caller)

    def _metrics(self, caller: Caller) -> bytes:
        service = self._node.service
        return self._node.metrics.exposed(
            service.stats(None if caller.everywhere else caller.tenant),
            now=service.clock.now(),
            whole=caller.role is Role.ADMIN,
        )
