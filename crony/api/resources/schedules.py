"""Schedules: created, listed, read, replaced, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import (
    Made,
    Response,
    etag,
    location,
    send,
    send_made,
    send_page,
)
from crony.api.bodies.fields import is_name
from crony.api.bodies.schedule import LIVE, merged
from crony.api.bodies.trigger import KINDS
from crony.api.node import Node
from crony.api.once import once
from crony.api.render import schedule as render
from crony.api.request import Request
from crony.api.resources.defining import Defining
from crony.api.resources.named import without
from crony.errors import Fault
from crony.model.schedule import Definition, Schedule
from crony.model.state import ScheduleState
from crony.model.task import Json
from crony.scheduler.policies import Look
from crony.scheduler.views import ScheduleView
from crony.storage.contract import Page, Position, ScheduleQuery

SORTS = ("name", "next_run_at", "created_at")


class Schedules:
    """The schedules of a tenant."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._schedules = node.service.schedules
        self._defining = Defining(node)

    async def create_schedule(self, req: Request, resp: Response) -> None:
        """``POST /schedules``."""
        body = await req.object()
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            body,
            propose=self._schedules.new_id,
            make=partial(self._create, req.caller.tenant, body),
        )
        send_made(resp, made)

    def _create(
        self,
        tenant: str,
        body: Mapping[str, Json],
        identity: str | None,
        *,
        beside: Sequence[Fault] = (),
    ) -> Made:
        look = self._schedules.look()
        definition = self._defining.definition(
            tenant, body, id=identity, look=look, beside=beside
        )
        schedule, new = self._schedules.create(
            tenant, definition, id=identity, look=look
        )
        return self._made(schedule, status=201 if new else 200, look=look)

    async def list_tasks(self, req: Request, resp: Response, schedule: str) -> None:
        """``GET /schedules/{group}/tasks``."""
        page = await self._node.pool.run(
            self._page_of_group,
            req.caller.tenant,
            replace(_query(req), group=schedule),
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, lambda views: [render.whole(v) for v in views])

    def _page_of_group(
        self,
        tenant: str,
        query: ScheduleQuery,
        *,
        limit: int,
        after: Position | None,
    ) -> Page[ScheduleView]:
        self._node.service.groups.find(tenant, query.group or "")
        return self._page(tenant, query, limit=limit, after=after)

    async def create_task(self, req: Request, resp: Response, schedule: str) -> None:
        """``POST /schedules/{group}/tasks``."""
        body = await req.object()
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            body,
            propose=self._schedules.new_id,
            make=partial(self._create_in, req.caller.tenant, schedule, body),
        )
        send_made(resp, made)

    def _create_in(
        self, tenant: str, group: str, body: Mapping[str, Json], identity: str | None
    ) -> Made:
        self._node.service.groups.find(tenant, group)
        given = body.get("group", group)
        beside = [] if given == group else [_of_another_group(given, group)]
        return self._create(tenant, {**body, "group": group}, identity, beside=beside)

    async def list_schedules(self, req: Request, resp: Response) -> None:
        """``GET /schedules``."""
        page = await self._node.pool.run(
            self._page,
            req.caller.tenant,
            _query(req),
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, lambda views: [render.whole(v) for v in views])

    def _page(
        self,
        tenant: str,
        query: ScheduleQuery,
        *,
        limit: int,
        after: Position | None,
    ) -> Page[ScheduleView]:
        found = self._schedules.page(tenant, query, limit=limit, after=after)
        return Page(tuple(self._schedules.views(found.items)), found.next)

    async def get_schedule(self, req: Request, resp: Response, schedule: str) -> None:
        """``GET /schedules/{schedule}``."""
        made = await self._node.pool.run(self._read, req.caller.tenant, schedule)
        revision = made.headers["ETag"].strip('"')
        if params.unchanged(req, int(revision)):
            made = Made(status=304, headers=made.headers)
        send_made(resp, made)

    def _read(self, tenant: str, reference: str) -> Made:
        return self._made(self._schedules.find(tenant, reference), status=200)

    async def put_schedule(self, req: Request, resp: Response, schedule: str) -> None:
        """``PUT /schedules/{schedule}``."""
        body = without(LIVE, await req.object())
        send_made(resp, await self._node.pool.run(self._put, req, schedule, body))

    def _put(self, req: Request, reference: str, body: Mapping[str, Json]) -> Made:
        tenant = req.caller.tenant
        known = self._known(tenant, reference)
        if known is None and not is_name(reference):
            raise errors.NotFound("schedule", reference[:200])
        present = None if known is None else known.definition
        definition = self._defining.definition(tenant, body, present=present)
        schedule, new = self._schedules.replace(
            tenant,
            reference,
            definition,
            if_match=params.if_match(req, partial(self._revision, tenant, reference)),
            if_none_match=params.creates_only(req),
        )
        return self._made(schedule, status=201 if new else 200)

    async def patch_schedule(self, req: Request, resp: Response, schedule: str) -> None:
        """``PATCH /schedules/{schedule}``."""
        patch = without(LIVE, await req.object())
        send_made(resp, await self._node.pool.run(self._patch, req, schedule, patch))

    def _patch(self, req: Request, reference: str, patch: Mapping[str, Json]) -> Made:
        tenant = req.caller.tenant

        def change(present: Definition) -> Definition:
            body = merged(render.written(present), patch)
            if not isinstance(body, Mapping):
                raise TypeError("a merge of objects is an object")
            return self._defining.definition(tenant, body, present=present)

        schedule = self._schedules.modify(
            tenant,
            reference,
            change,
            if_match=params.if_match(req, partial(self._revision, tenant, reference)),
        )
        return self._made(schedule, status=200)

    async def delete_schedule(
        self, req: Request, resp: Response, schedule: str
    ) -> None:
        """``DELETE /schedules/{schedule}``."""
        await self._node.pool.run(
            self._delete, req, schedule, cancel=params.flag(req, "cancel_running")
        )
        resp.status = 204

    def _delete(self, req: Request, reference: str, *, cancel: bool) -> None:
        tenant = req.caller.tenant
        self._schedules.delete(
            tenant,
            reference,
            if_match=params.if_match(req, partial(self._revision, tenant, reference)),
            cancel_running=cancel,
        )

    def _known(self, tenant: str, reference: str) -> Schedule | None:
        try:
            return self._schedules.find(tenant, reference)
        except errors.NotFound:
            return None

    def _revision(self, tenant: str, reference: str) -> int:
        """Return the present revision; ``If-Match: *`` insists that there is one."""
        known = self._known(tenant, reference)
        return known.revision if known is not None else -1

    def _made(
        self, schedule: Schedule, *, status: int, look: Look | None = None
    ) -> Made:
        view = self._schedules.views([schedule], look=look)[0]
        headers = {"ETag": etag(schedule.revision)}
        if status in (200, 201):
            headers["Content-Location"] = location("schedules", schedule.id)
        if status == 201:
            headers["Location"] = location("schedules", schedule.id)
        return Made(status=status, body=render.whole(view), headers=headers)


def _of_another_group(given: Json, group: str) -> Fault:
    said = f'"{given[:80]}"' if isinstance(given, str) else "this"
    return Fault("/group", f'{said} is not the group in the path, "{group}"')


def _query(req: Request) -> ScheduleQuery:
    return ScheduleQuery(
        group=params.text(req, "group"),
        queue=params.text(req, "queue"),
        label=params.label(req),
        state=params.member(req, "state", ScheduleState),
        trigger=params.choice(req, "trigger", {kind: kind for kind in KINDS}),
        text=params.text(req, "q"),
        failing=params.choice(req, "failing", {"true": True, "false": False}),
        sort=params.choice(req, "sort", {s: s for s in SORTS}) or "created_at",
    )


def read_one(resp: Response, view: ScheduleView) -> None:
    """Answer with a schedule."""
    resp.set_header("ETag", etag(view.schedule.revision))
    send(resp, render.whole(view))
