"""Whether the service runs, and whether it can work."""

from __future__ import annotations

from crony import clock
from crony.api.answers import Response, send
from crony.api.node import Node
from crony.api.request import Request
from crony.model.task import JsonObject
from crony.scheduler.moving.releasing import ADVICE
from crony.scheduler.service import Service


class Health:
    """``GET /health/live`` and ``GET /health/ready``: for probes, without a key."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def live(self, req: Request, resp: Response) -> None:
        """``GET /health/live``."""
        send(resp, {"status": "live"})

    async def ready(self, req: Request, resp: Response) -> None:
        """``GET /health/ready``; 503 when the store takes no writes."""
        send(resp, await self._node.pool.run(readiness, self._node.service))


def readiness(service: Service) -> JsonObject:
    """Return how well the service can work; raises what the store raises."""
    service.store.ping()
    service.probe.check()
    stands = service.clock.held()
    held = service.releasing.held_tenants()
    said = [f"{clock.HELD}: {clock.ADVICE}"] if stands else []
    if held:
        tenants = "1 tenant is" if held == 1 else f"{held} tenants are"
        said.append(f"{tenants} held: nothing of it comes due or starts; {ADVICE}")
    return {
        "status": "ready",
        "ticking": not stands,
        "detail": "; ".join(said) or None,
        "held_tenants": held,
        "cannot_promise": list(service.store.cannot_promise()),
    }
