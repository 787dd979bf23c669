"""Tenants and their quotas."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, etag, location, send_made
from crony.api.auth import Caller
from crony.api.bodies.admin import LIVE_OF_TENANT, TenantBody
from crony.api.bodies.faults import checked
from crony.api.bodies.fields import is_name
from crony.api.node import Node
from crony.api.render import admin as render
from crony.api.request import Request
from crony.errors import Fault
from crony.model.task import Json
from crony.model.worker import Role, Tenant


class Tenants:
    """``/tenants/{tenant}``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tenants = node.service.tenants

    async def get_tenant(self, req: Request, resp: Response, tenant: str) -> None:
        """``GET /tenants/{tenant}``."""
        _own(req.caller, tenant)
        found = await self._node.pool.run(self._tenants.find, tenant)
        if params.unchanged(req, found.revision):
            send_made(resp, Made(status=304, headers={"ETag": etag(found.revision)}))
            return
        send_made(resp, await self._node.pool.run(self._made, found, status=200))

    async def put_tenant(self, req: Request, resp: Response, tenant: str) -> None:
        """``PUT /tenants/{tenant}``."""
        _own(req.caller, tenant)
        body = {
            name: value
            for name, value in (await req.object()).items()
            if name not in LIVE_OF_TENANT
        }
        send_made(resp, await self._node.pool.run(self._put, req, tenant, body))
        self._node.rates.forget(tenant)

    def _put(self, req: Request, name: str, body: Mapping[str, Json]) -> Made:
        given, faults = checked(TenantBody, body)
        if given is None:
            raise errors.InvalidBody(faults)
        if not is_name(name):
            raise errors.InvalidBody([Fault("", f'"{name[:80]}" is not a name')])
        if req.caller.role is not Role.ADMIN:
            self._tenants.find(name)
        tenant, new = self._tenants.put(
            name,
            quotas=given.quotas.value(),
            if_match=params.if_match(req, partial(self._revision, name)),
            if_none_match=params.creates_only(req),
        )
        return self._made(tenant, status=201 if new else 200)

    async def delete_tenant(self, req: Request, resp: Response, tenant: str) -> None:
        """``DELETE /tenants/{tenant}``."""
        await self._node.pool.run(self._delete, req, tenant)
        self._node.rates.forget(tenant)
        resp.status = 204

    def _delete(self, req: Request, name: str) -> None:
        self._tenants.delete(
            name, if_match=params.if_match(req, partial(self._revision, name))
        )

    def _revision(self, name: str) -> int:
        try:
            return self._tenants.find(name).revision
        except errors.NotFound:
            return -1

    def _made(self, tenant: Tenant, *, status: int) -> Made:
        headers = {"ETag": etag(tenant.revision)}
        if status == 201:
            headers["Location"] = location("tenants", tenant.name)
        body = render.tenant(tenant, self._tenants.usage(tenant.name))
        return Made(status=status, body=body, headers=headers)


def _own(caller: Caller, tenant: str) -> None:
    """Hide tenants other than the caller's own, but from an admin."""
    if caller.role is not Role.ADMIN and caller.tenant != tenant:
        raise errors.NotFound("tenant", tenant[:200])
