"""Groups: schedules that are looked after together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, send_made, send_page
from crony.api.bodies.faults import checked
from crony.api.bodies.group import LIVE_OF_GROUP, GroupBody
from crony.api.bodies.schedule import ResumeBody, missing
from crony.api.node import Node
from crony.api.render import group as render
from crony.api.render.values import Object
from crony.api.request import Request
from crony.api.resources.actions import refuse_members
from crony.api.resources.defining import Defining
from crony.api.resources.named import check_name, made, revision_of, without
from crony.model.group import Group
from crony.model.task import Json
from crony.storage.contract import Page, Position


class Groups:
    """``/groups``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._groups = node.service.groups
        self._defining = Defining(node)

    async def list_groups(self, req: Request, resp: Response) -> None:
        """``GET /groups``."""
        page = await self._node.pool.run(
            self._page,
            req.caller.tenant,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, list)

    def _page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Object]:
        found = self._groups.page(tenant, limit=limit, after=after)
        return Page(tuple(self._rendered(tenant, found.items)), found.next)

    async def get_group(self, req: Request, resp: Response, group: str) -> None:
        """``GET /groups/{group}``."""
        send_made(resp, await self._node.pool.run(self._read, req, group))

    def _read(self, req: Request, name: str) -> Made:
        return self._made(req, self._groups.find(req.caller.tenant, name), status=200)

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
            if_match=params.if_match(req, self._revision(req, name)),
            if_none_match=params.creates_only(req),
        )
        return self._made(req, group, status=201 if new else 200)

    async def delete_group(self, req: Request, resp: Response, group: str) -> None:
        """``DELETE /groups/{group}``."""
        await self._node.pool.run(self._delete, req, group)
        resp.status = 204

    def _delete(self, req: Request, name: str) -> None:
        self._groups.delete(
            req.caller.tenant,
            name,
            if_match=params.if_match(req, self._revision(req, name)),
        )

    async def pause_group(self, req: Request, resp: Response, group: str) -> None:
        """``POST /groups/{group}/pause``."""
        refuse_members(await req.optional_object())
        send_made(resp, await self._node.pool.run(self._pause, req, group))

    def _pause(self, req: Request, name: str) -> Made:
        return self._made(req, self._groups.pause(req.caller.tenant, name), status=200)

    async def resume_group(self, req: Request, resp: Response, group: str) -> None:
        """``POST /groups/{group}/resume``."""
        body = await req.optional_object()
        send_made(resp, await self._node.pool.run(self._resume, req, group, body))

    def _resume(self, req: Request, name: str, body: Mapping[str, Json]) -> Made:
        given, faults = checked(ResumeBody, body)
        if given is None:
            raise errors.InvalidBody(faults)
        group = self._groups.resume(req.caller.tenant, name, misfire=given.misfire)
        return self._made(req, group, status=200)

    def _revision(self, req: Request, name: str) -> partial[int]:
        find = partial(self._groups.find, req.caller.tenant)
        return partial(revision_of, find, name)

    def _made(self, req: Request, group: Group, *, status: int) -> Made:
        (body,) = self._rendered(req.caller.tenant, [group])
        return made(req, "groups", group, body, status=status)

    def _rendered(self, tenant: str, groups: Sequence[Group]) -> list[Object]:
        sizes = self._groups.sizes(tenant, groups)
        return [render.group(each, schedules=sizes[each.name]) for each in groups]
