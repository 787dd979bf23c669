"""Profiles: named policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, send_made, send_page
from crony.api.bodies.faults import checked
from crony.api.bodies.policy import contradictions
from crony.api.bodies.profile import LIVE_OF_PROFILE, ProfileBody
from crony.api.node import Node
from crony.api.render import group as render
from crony.api.render.values import Object
from crony.api.request import Request
from crony.api.resources.named import check_name, made, revision_of, without
from crony.model.group import Profile
from crony.model.task import Json
from crony.storage.contract import Page, Position


class Profiles:
    """``/profiles``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._profiles = node.service.profiles

    async def list_profiles(self, req: Request, resp: Response) -> None:
        """``GET /profiles``."""
        page = await self._node.pool.run(
            self._page,
            req.caller.tenant,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, list)

    def _page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Object]:
        found = self._profiles.page(tenant, limit=limit, after=after)
        return Page(tuple(self._rendered(tenant, found.items)), found.next)

    async def get_profile(self, req: Request, resp: Response, profile: str) -> None:
        """``GET /profiles/{profile}``."""
        send_made(resp, await self._node.pool.run(self._read, req, profile))

    def _read(self, req: Request, name: str) -> Made:
        found = self._profiles.find(req.caller.tenant, name)
        return self._made(req, found, status=200)

    async def put_profile(self, req: Request, resp: Response, profile: str) -> None:
        """``PUT /profiles/{profile}``."""
        body = without(LIVE_OF_PROFILE, await req.object())
        send_made(resp, await self._node.pool.run(self._put, req, profile, body))

    def _put(self, req: Request, name: str, body: Mapping[str, Json]) -> Made:
        given, faults = checked(ProfileBody, body)
        faults += check_name(name)
        if given is not None:
            faults += contradictions(given.settings())
        if given is None or faults:
            raise errors.InvalidBody(faults)
        profile, new = self._profiles.put(
            req.caller.tenant,
            name,
            description=given.description,
            settings=given.settings(),
            if_match=params.if_match(req, self._revision(req, name)),
            if_none_match=params.creates_only(req),
        )
        return self._made(req, profile, status=201 if new else 200)

    async def delete_profile(self, req: Request, resp: Response, profile: str) -> None:
        """``DELETE /profiles/{profile}``."""
        await self._node.pool.run(self._delete, req, profile)
        resp.status = 204

    def _delete(self, req: Request, name: str) -> None:
        self._profiles.delete(
            req.caller.tenant,
            name,
            if_match=params.if_match(req, self._revision(req, name)),
        )

    def _revision(self, req: Request, name: str) -> partial[int]:
        find = partial(self._profiles.find, req.caller.tenant)
        return partial(revision_of, find, name)

    def _made(self, req: Request, profile: Profile, *, status: int) -> Made:
        (body,) = self._rendered(req.caller.tenant, [profile])
        return made(req, "profiles", profile, body, status=status)

    def _rendered(self, tenant: str, profiles: Sequence[Profile]) -> list[Object]:
        uses = self._profiles.uses(tenant, profiles)
        return [render.profile(each, uses[each.name]) for each in profiles]
