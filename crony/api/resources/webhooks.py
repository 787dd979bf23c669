"""Webhooks: where events of a tenant are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, send, send_made, send_page
from crony.api.bodies.faults import checked
from crony.api.bodies.webhook import LIVE_OF_WEBHOOK, WebhookBody
from crony.api.node import Node
from crony.api.render import webhook as render
from crony.api.render.values import Object
from crony.api.request import Request
from crony.api.resources.actions import refuse_members
from crony.api.resources.named import Named, check_name, made, without
from crony.errors import Fault
from crony.model.task import Json
from crony.model.webhook import Webhook

#: So many tests are under way at once in this process.
_PINGS = 4


class Webhooks(Named[Webhook]):
    """``/webhooks``."""

    noun = "webhooks"

    def __init__(self, node: Node) -> None:
        super().__init__(node, node.service.webhooks)
        self._webhooks = node.service.webhooks
        self._pings = 0

    async def list_webhooks(self, req: Request, resp: Response) -> None:
        """``GET /webhooks``."""
        await self.send_list(req, resp)

    async def get_webhook(self, req: Request, resp: Response, webhook: str) -> None:
        """``GET /webhooks/{webhook}``."""
        await self.send_one(req, resp, webhook)

    async def put_webhook(self, req: Request, resp: Response, webhook: str) -> None:
        """``PUT /webhooks/{webhook}``."""
        body = without(LIVE_OF_WEBHOOK, await req.object())
        send_made(resp, await self._node.pool.run(self._put, req, webhook, body))

    def _put(self, req: Request, name: str, body: Mapping[str, Json]) -> Made:
        given, faults = checked(WebhookBody, body)
        faults += check_name(name)
        if given is not None:
            faults += self._out_of_reach(given.url)
        if given is None or faults:
            raise errors.InvalidBody(faults)
        webhook, new = self._webhooks.put(
            req.caller.tenant,
            name,
            url=given.url,
            types=tuple(dict.fromkeys(given.types)),
            description=given.description,
            paused=given.paused,
            secret=given.secret,
            if_match=self.if_match(req, name),
            if_none_match=params.creates_only(req),
        )
        return self._put_made(req, webhook, status=201 if new else 200)

    def _out_of_reach(self, url: str) -> list[Fault]:
        """Return the fault of an address that deliveries would be refused for."""
        try:
            self._webhooks.check_host(urlsplit(url).hostname or "")
        except errors.AddressRefused as exc:
            return [Fault("/url", str(exc))]
        return []

    async def delete_webhook(self, req: Request, resp: Response, webhook: str) -> None:
        """``DELETE /webhooks/{webhook}``."""
        await self.remove(req, resp, webhook)

    async def list_deliveries(self, req: Request, resp: Response, webhook: str) -> None:
        """``GET /webhooks/{webhook}/deliveries``."""
        page = await self._node.pool.run(
            self._webhooks.deliveries,
            req.caller.tenant,
            webhook,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, lambda found: [render.delivery(d) for d in found])

    async def retry_delivery(
        self, req: Request, resp: Response, webhook: str, event: str
    ) -> None:
        """``POST /webhooks/{webhook}/deliveries/{event}/retry``."""
        refuse_members(await req.optional_object())
        found = await self._node.pool.run(
            self._webhooks.retry, req.caller.tenant, webhook, event
        )
        send(resp, render.delivery(found))

    async def ping_webhook(self, req: Request, resp: Response, webhook: str) -> None:
        """``POST /webhooks/{webhook}/ping``."""
        refuse_members(await req.optional_object())
        if self._pings >= _PINGS:
            raise errors.Overloaded(
                "other webhooks are being tested; try again",
                retry_after=timedelta(seconds=1),
            )
        self._pings += 1
        try:
            # Not on the store's threads: it takes as long as the endpoint likes.
            delivery, id = await asyncio.to_thread(
                self._webhooks.ping, req.caller.tenant, webhook
            )
        finally:
            self._pings -= 1
        send(resp, render.delivery(delivery, id=id))

    def rendered(self, tenant: str, things: Sequence[Webhook]) -> list[Object]:
        """Return webhooks without what they are signed with."""
        return [render.whole(each) for each in things]

    def _put_made(self, req: Request, webhook: Webhook, *, status: int) -> Made:
        # Only whoever makes it is told what deliveries are signed with.
        secret = webhook.secret if status == 201 else None
        body = {**render.whole(webhook), "secret": secret}
        return made(req, self.noun, webhook, body, status=status)
