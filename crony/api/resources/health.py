"""Whether the service runs, and whether it can work."""

from __future__ import annotations

from crony.api.answers import Response, send
from crony.api.node import Node
from crony.api.request import Request
from crony.model.task import JsonObject


class Health:
    """``GET /health/live`` and ``GET /health/ready``: for probes, without a key."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def live(self, req: Request, resp: Response) -> None:
        """``GET /health/live``."""
        send(resp, {"status": "live"})

    async def ready(self, req: Request, resp: Response) -> None:
        """``GET /health/ready``; 503 when the store does not answer."""
        send(resp, await self._node.pool.run(self._ready))

    def _ready(self) -> JsonObject:
        store = self._node.service.store
        store.ping()
        return {
            "status": "ready",
            "ticking": not self._node.service.clock.held(),
            "cannot_promise": list(store.cannot_promise()),
        }
