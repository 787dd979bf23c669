"""What is done with a schedule, and what it would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, location, send, send_made
from crony.api.bodies.faults import checked, distinct
from crony.api.bodies.preview import PreviewBody
from crony.api.bodies.schedule import EmptyBody, ResumeBody, RunBody
from crony.api.bodies.trigger import faults_of_trigger
from crony.api.node import Node
from crony.api.once import once
from crony.api.render import run as render_run
from crony.api.render import schedule as render
from crony.api.request import Request
from crony.api.resources.schedules import read_one
from crony.errors import Fault
from crony.model.schedule import Definition, Schedule
from crony.model.task import Json, JsonObject, kind
from crony.scheduler.views import ScheduleView

COUNT = range(1, 1001)


class Actions:
    """Pause, resume, run, upcoming, preview."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._schedules = node.service.schedules

    async def pause_schedule(self, req: Request, resp: Response, schedule: str) -> None:
        """``POST /schedules/{schedule}/pause``."""
        refuse_members(await req.optional_object())
        await self._act(req, resp, schedule, self._schedules.pause)

    async def resume_schedule(
        self, req: Request, resp: Response, schedule: str
    ) -> None:
        """``POST /schedules/{schedule}/resume``."""
        given, faults = checked(ResumeBody, await req.optional_object())
        if given is None:
            raise errors.InvalidBody(faults)
        action = partial(self._schedules.resume, misfire=given.misfire)
        await self._act(req, resp, schedule, action)

    async def _act(
        self,
        req: Request,
        resp: Response,
        reference: str,
        action: Callable[[str, str], Schedule],
    ) -> None:
        view = await self._node.pool.run(
            self._acted, action, req.caller.tenant, reference
        )
        read_one(resp, view)

    def _acted(
        self, action: Callable[[str, str], Schedule], tenant: str, reference: str
    ) -> ScheduleView:
        return self._schedules.views([action(tenant, reference)])[0]

    async def run_schedule(self, req: Request, resp: Response, schedule: str) -> None:
        """``POST /schedules/{schedule}/run``."""
        body = await req.optional_object()
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            body,
            propose=self._node.service.runs.new_number,
            make=partial(self._run, req.caller.tenant, schedule, body),
        )
        send_made(resp, made)

    def _run(
        self, tenant: str, reference: str, body: Mapping[str, Json], n: str | None
    ) -> Made:
        given, faults = checked(RunBody, body)
        if given is None:
            raise errors.InvalidBody(faults)
        task = given.task
        overrides = task.model_dump(exclude_none=True) if task else None
        if overrides and "args" in overrides:
            found = self._schedules.find(tenant, reference)
            _refuse_args(found.definition, overrides)
        run = self._node.service.runs.trigger(
            tenant, reference, overrides=overrides or None, n=n
        )
        return Made(
            status=202,
            body=render_run.summary(run),
            headers={"Location": location("runs", run.id)},
        )

    async def upcoming(self, req: Request, resp: Response, schedule: str) -> None:
        """``GET /schedules/{schedule}/upcoming``."""
        items = await self._node.pool.run(
            self._schedules.upcoming,
            req.caller.tenant,
            schedule,
            count=params.integer(req, "count", bounds=COUNT, default=10),
        )
        send(resp, {"items": render.upcoming(items)})

    async def preview(self, req: Request, resp: Response) -> None:
        """``POST /preview``."""
        body = await req.object()
        tenant = req.caller.tenant
        send(resp, await self._node.pool.run(self._preview, tenant, body))

    def _preview(self, tenant: str, body: Mapping[str, Json]) -> JsonObject:
        now = self._node.now()
        whole, faults = checked(PreviewBody, body)
        when, of_trigger = faults_of_trigger(body, tenant=tenant, now=now)
        if whole is None or when is None:
            raise errors.InvalidBody(distinct([*faults, *of_trigger]))
        description, items = self._schedules.preview(
            tenant,
            trigger=when.trigger(now=now),
            start_at=when.start_at,
            end_at=when.end_at,
            max_runs=when.max_runs,
            name=when.name,
            count=whole.count,
        )
        return {"description": description, "upcoming": render.upcoming(items)}


def refuse_members(body: Mapping[str, Json]) -> None:
    """Refuse members of an action that takes none."""
    _, faults = checked(EmptyBody, body)
    if faults:
        raise errors.InvalidBody(faults)


def _refuse_args(definition: Definition, overrides: JsonObject) -> None:
    """Refuse arguments that a command line can't have."""
    args = overrides["args"]
    if kind(definition.task) == "python" or not isinstance(args, Sequence):
        return
    faults = [
        Fault(f"/task/args/{position}", "must be a string")
        for position, argument in enumerate(args)
        if not isinstance(argument, str)
    ]
    if faults:
        raise errors.InvalidBody(faults)
