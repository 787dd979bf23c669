"""Keys, looked after by operators."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, location, send, send_made, send_page
from crony.api.auth import Caller
from crony.api.bodies.admin import KeyBody
from crony.api.bodies.faults import checked
from crony.api.node import Node
from crony.api.once import once
from crony.api.render import admin as render
from crony.api.request import Request
from crony.errors import Fault
from crony.model import ids
from crony.model.task import Json
from crony.model.worker import Role


class Keys:
    """The keys of a tenant; those of workers apart."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._keys = node.service.keys

    async def list_keys(self, req: Request, resp: Response) -> None:
        """``GET /keys``."""
        page = await self._node.pool.run(
            self._keys.page,
            req.caller.tenant,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, lambda keys: [render.key(key) for key in keys])

    async def create_key(self, req: Request, resp: Response) -> None:
        """``POST /keys``."""
        body = await req.object()
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            body,
            propose=self._new_id,
            make=partial(self._create, req.caller, body),
        )
        send_made(resp, made)

    def _new_id(self) -> str:
        now = self._node.service.clock.now()
        return ids.timed(ids.KEY, now, entropy=os.urandom(ids.ENTROPY))

    def _create(
        self, caller: Caller, body: Mapping[str, Json], identity: str | None
    ) -> Made:
        given, faults = checked(KeyBody, body)
        until = given.expires_at if given is not None else None
        if until is not None and until <= self._node.service.clock.now():
            faults.append(Fault("/expires_at", "has passed already"))
        if given is None or faults:
            raise errors.InvalidBody(faults)
        role = Role(given.role)
        if role is Role.ADMIN and caller.role is not Role.ADMIN:
            raise errors.Forbidden("only an admin key may make an admin key")
        key, secret = self._keys.create(
            caller.tenant,
            role=role,
            description=given.description,
            expires_at=given.expires_at,
            id=identity,
        )
        return Made(
            status=201,
            body={**render.key(key), "key": secret},
            headers={"Location": location("keys", key.id)},
        )

    async def get_key(self, req: Request, resp: Response, key: str) -> None:
        """``GET /keys/{key}``."""
        found = await self._node.pool.run(self._keys.find, req.caller.tenant, key)
        send(resp, render.key(found))

    async def delete_key(self, req: Request, resp: Response, key: str) -> None:
        """``DELETE /keys/{key}``."""
        await self._node.pool.run(self._delete, req.caller, key)
        resp.status = 204

    def _delete(self, caller: Caller, key: str) -> None:
        found = self._keys.find(caller.tenant, key)
        if found.role is Role.ADMIN and caller.role is not Role.ADMIN:
            raise errors.Forbidden("only an admin key may delete an admin key")
        self._keys.delete(caller.tenant, key)
