"""Profiles: named policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, send_made
from crony.api.bodies.faults import checked
from crony.api.bodies.policy import contradictions
from crony.api.bodies.profile import LIVE_OF_PROFILE, ProfileBody
from crony.api.node import Node
from crony.api.render import group as render
from crony.api.render.values import Object
from crony.api.request import Request
from crony.api.resources.named import Named, check_name, without
from crony.model.group import Profile
from crony.model.task import Json


class Profiles(Named[Profile]):
    """``/profiles``."""

    noun = "profiles"

    def __init__(self, node: Node) -> None:
        super().__init__(node, node.service.profiles)
        self._profiles = node.service.profiles

    async def list_profiles(self, req: Request, resp: Response) -> None:
        """``GET /profiles``."""
        await self.send_list(req, resp)

    async def get_profile(self, req: Request, resp: Response, profile: str) -> None:
        """``GET /profiles/{profile}``."""
        await self.send_one(req, resp, profile)

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
            if_match=self.if_match(req, name),
            if_none_match=params.creates_only(req),
        )
        return self.made(req, profile, status=201 if new else 200)

    async def delete_profile(self, req: Request, resp: Response, profile: str) -> None:
        """``DELETE /profiles/{profile}``."""
        await self.remove(req, resp, profile)

    def rendered(self, tenant: str, things: Sequence[Profile]) -> list[Object]:
        """Return profiles with how many refer to them."""
        uses = self._profiles.uses(tenant, things)
        return [render.profile(each, uses[each.name]) for each in things]
