"""Workers: registered by themselves, looked after by people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, location, send, send_made, send_page
from crony.api.bodies.faults import checked
from crony.api.bodies.worker import WorkerBody
from crony.api.node import Node
from crony.api.once import once
from crony.api.render import worker as render
from crony.api.request import Request
from crony.api.resources.actions import refuse_members
from crony.model.task import Json
from crony.scheduler.workers import WorkerView
from crony.storage.contract import Page, Position


class Workers:
    """The workers of a tenant."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._workers = node.service.workers

    async def register_worker(self, req: Request, resp: Response) -> None:
        """``POST /workers``."""
        body = await req.object()
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            body,
            propose=str,
            make=partial(self._register, req.caller.tenant, body),
        )
        send_made(resp, made)

    def _register(self, tenant: str, body: Mapping[str, Json], _: str | None) -> Made:
        given, faults = checked(WorkerBody, body)
        if given is None:
            raise errors.InvalidBody(faults)
        worker, secret = self._workers.register(
            tenant,
            name=given.name,
            machine=given.machine,
            queues=tuple(dict.fromkeys(given.queues)),
            labels=dict(given.labels),
            slots=given.slots,
            sandbox_level=given.sandbox_level,
            version=given.version,
        )
        timing = self._node.service.timing
        return Made(
            status=201,
            body=render.registered(
                worker,
                secret,
                lease_ttl=timing.lease_ttl,
                poll_wait=timing.poll_wait,
                lease_ahead=timing.lease_ahead,
                margin=timing.margin,
            ),
            headers={"Location": location("workers", worker.id)},
        )

    async def list_workers(self, req: Request, resp: Response) -> None:
        """``GET /workers``."""
        page = await self._node.pool.run(
            self._page,
            req.caller.tenant,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, lambda views: [render.whole(v) for v in views])

    def _page(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[WorkerView]:
        found = self._workers.page(tenant, limit=limit, after=after)
        return Page(tuple(self._workers.views(found.items)), found.next)

    async def get_worker(self, req: Request, resp: Response, worker: str) -> None:
        """``GET /workers/{worker}``."""
        view = await self._node.pool.run(self._read, req.caller.tenant, worker)
        send(resp, render.whole(view))

    def _read(self, tenant: str, reference: str) -> WorkerView:
        return self._workers.view(self._workers.find(tenant, reference))

    async def delete_worker(self, req: Request, resp: Response, worker: str) -> None:
        """``DELETE /workers/{worker}``."""
        await self._node.pool.run(self._workers.delete, req.caller.tenant, worker)
        resp.status = 204

    async def drain_worker(self, req: Request, resp: Response, worker: str) -> None:
        """``POST /workers/{worker}/drain``."""
        refuse_members(await req.optional_object())
        view = await self._node.pool.run(self._drain, req.caller.tenant, worker)
        send(resp, render.whole(view))

    def _drain(self, tenant: str, reference: str) -> WorkerView:
        return self._workers.view(self._workers.drain(tenant, reference))
