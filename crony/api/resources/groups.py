"""Groups: schedules that are looked after together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, send_made
from crony.api.bodies.faults import checked
from crony.api.bodies.group import LIVE_OF_GROUP, GroupBody
from crony.api.bodies.schedule import ResumeBody, missing
from crony.api.node import Node
from crony.api.render import group as render
from crony.api.render.values import Object
from crony.api.request import Request
from crony.api.resources.actions import refuse_members
from crony.api.resources.defining import Defining
from crony.api.resources.named import Named, check_name, without
from crony.model.group import Group
from crony.model.task import Json


class Groups(Named[Group]):
    """``/groups``."""

    noun = "groups"

    def __init__(self, node: Node) -> None:
        super().__init__(node, node.service.groups)
        self._groups = node.service.groups
        self._defining = Defining(node)

    async def list_groups(self, req: Request, resp: Response) -> None:
        """``GET /groups``."""
        await self.send_list(req, resp)

    async def get_group(self, req: Request, resp: Response, group: str) -> None:
        """``GET /groups/{group}``."""
        await self.send_one(req, resp, group)

    async def put_group(self, req: Request, resp: Response, group: str) -> None:
        """``PUT /groups/{group}``."""
        body = without(LIVE_OF_GROUP, await req.object())
        send_made(resp, await self._node.pool.run(self._put, req, group, body))

    def _put(self, req: Request, name: str, body: Mapping[str, Json]) -> Made:
        given, faults = checked(GroupBody, body)
        faults += check_name(name)
        exists = partial(self._defining.exists, req.caller.tenant)
        faults += missing(body, exists=exists, nouns=("profile",))
        if given is None or faults:
            raise errors.InvalidBody(faults)
        group, new = self._groups.put(
            req.caller.tenant,
            name,
            description=given.description,
            profile=given.profile,
            max_concurrent=given.max_concurrent,
            paused=given.paused,
            if_match=self.if_match(req, name),
            if_none_match=params.creates_only(req),
        )
        return self.made(req, group, status=201 if new else 200)

    async def delete_group(self, req: Request, resp: Response, group: str) -> None:
        """``DELETE /groups/{group}``."""
        await self.remove(req, resp, group)

    async def pause_group(self, req: Request, resp: Response, group: str) -> None:
        """``POST /groups/{group}/pause``."""
        refuse_members(await req.optional_object())
        send_made(resp, await self._node.pool.run(self._pause, req, group))

    def _pause(self, req: Request, name: str) -> Made:
        return self.made(req, self._groups.pause(req.caller.tenant, name), status=200)

    async def resume_group(self, req: Request, resp: Response, group: str) -> None:
        """``POST /groups/{group}/resume``."""
        body = await req.optional_object()
        send_made(resp, await self._node.pool.run(self._resume, req, group, body))

    def _resume(self, req: Request, name: str, body: Mapping[str, Json]) -> Made:
        given, faults = checked(ResumeBody, body)
        if given is None:
            raise errors.InvalidBody(faults)
        group = self._groups.resume(req.caller.tenant, name, misfire=given.misfire)
        return self.made(req, group, status=200)

    def rendered(self, tenant: str, things: Sequence[Group]) -> list[Object]:
        """Return groups with how many schedules they have."""
        sizes = self._groups.sizes(tenant, things)
        return [render.group(each, schedules=sizes[each.name]) for each in things]
