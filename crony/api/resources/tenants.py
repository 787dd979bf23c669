"""Tenants and their quotas."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, send_made
from crony.api.auth import Caller
from crony.api.bodies.admin import LIVE_OF_TENANT, TenantBody
from crony.api.bodies.faults import checked
from crony.api.bodies.schedule import missing
from crony.api.node import Node
from crony.api.render import admin as render
from crony.api.request import Request
from crony.api.resources.defining import Defining
from crony.api.resources.named import check_name, made, revision_of, without
from crony.model.task import Json
from crony.model.worker import Role, Tenant


class Tenants:
    """``/tenants/{tenant}``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tenants = node.service.tenants
        self._defining = Defining(node)

    async def get_tenant(self, req: Request, resp: Response, tenant: str) -> None:
        """``GET /tenants/{tenant}``."""
        _own(req.caller, tenant)
        send_made(resp, await self._node.pool.run(self._read, req, tenant))

    def _read(self, req: Request, name: str) -> Made:
        return self._made(req, self._tenants.find(name), status=200)

    async def put_tenant(self, req: Request, resp: Response, tenant: str) -> None:
        """``PUT /tenants/{tenant}``."""
        _own(req.caller, tenant)
        body = without(LIVE_OF_TENANT, await req.object())
        send_made(resp, await self._node.pool.run(self._put, req, tenant, body))
        self._node.rates.forget(tenant)

    def _put(self, req: Request, name: str, body: Mapping[str, Json]) -> Made:
        given, faults = checked(TenantBody, body)
        faults += check_name(name)
        exists = partial(self._defining.exists, name)
        faults += missing(body, exists=exists, nouns=("profile",))
        if given is None or faults:
            raise errors.InvalidBody(faults)
        if req.caller.role is not Role.ADMIN:
            self._tenants.find(name)
        tenant, new = self._tenants.put(
            name,
            quotas=given.quotas.value(),
            profile=given.profile,
            max_concurrent=given.max_concurrent,
            retention=given.retention.settings() if given.retention else None,
            if_match=params.if_match(req, partial(self._revision, name)),
            if_none_match=params.creates_only(req),
        )
        return self._made(req, tenant, status=201 if new else 200)

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
        return revision_of(self._tenants.find, name)

    def _made(self, req: Request, tenant: Tenant, *, status: int) -> Made:
        body = render.tenant(tenant, self._tenants.usage(tenant.name))
        return made(req, "tenants", tenant, body, status=status)


def _own(caller: Caller, tenant: str) -> None:
    """Hide tenants other than the caller's own, but from an admin."""
    if caller.role is not Role.ADMIN and caller.tenant != tenant:
        raise errors.NotFound("tenant", tenant[:200])
