"""Runs: listed, read, cancelled, repeated."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, location, send, send_made, send_page
from crony.api.node import Node
from crony.api.once import once
from crony.api.render import run as render
from crony.api.request import Request
from crony.api.resources.actions import refuse_members
from crony.api.vocabulary import STATES
from crony.model.run import Run
from crony.model.state import RunState
from crony.storage.contract import Page, Position, RunQuery


class Runs:
    """The runs of a tenant, and those of one schedule."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._runs = node.service.runs

    async def list_runs(self, req: Request, resp: Response) -> None:
        """``GET /runs``."""
        await self._list(req, resp, None)

    async def list_schedule_runs(
        self, req: Request, resp: Response, schedule: str
    ) -> None:
        """``GET /schedules/{schedule}/runs``."""
        await self._list(req, resp, schedule)

    async def _list(self, req: Request, resp: Response, reference: str | None) -> None:
        page = await self._node.pool.run(
            self._page,
            req.caller.tenant,
            reference,
            _query(req),
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, lambda runs: [render.summary(r) for r in runs])

    def _page(
        self,
        tenant: str,
        reference: str | None,
        query: RunQuery,
        *,
        limit: int,
        after: Position | None,
    ) -> Page[Run]:
        if reference is not None:
            schedule = self._node.service.schedules.find(tenant, reference)
            query = replace(query, schedule=schedule.id)
        if query.worker is not None:
            try:
                worker = self._node.service.workers.find(tenant, query.worker)
            except errors.NotFound:
                # A worker that is gone still stands in its runs, by its id.
                pass
            else:
                query = replace(query, worker=worker.id)
        return self._runs.page(tenant, query, limit=limit, after=after)

    async def get_run(self, req: Request, resp: Response, run: str) -> None:
        """``GET /runs/{run}``."""
        found = await self._node.pool.run(self._runs.find, req.caller.tenant, run)
        send(resp, render.whole(found))

    async def get_schedule_run(
        self, req: Request, resp: Response, schedule: str, run: str
    ) -> None:
        """``GET /schedules/{schedule}/runs/{run}``."""
        found = await self._node.pool.run(
            self._of_schedule, req.caller.tenant, schedule, run
        )
        send(resp, render.whole(found))

    def _of_schedule(self, tenant: str, reference: str, run: str) -> Run:
        found = self._runs.find(tenant, run)
        # A run outlives its schedule, and is then reached by the schedule's id.
        if reference not in (found.schedule, found.schedule_name):
            raise errors.NotFound("run", run[:200])
        return found

    async def cancel_run(self, req: Request, resp: Response, run: str) -> None:
        """``POST /runs/{run}/cancel``."""
        refuse_members(await req.optional_object())
        found = await self._node.pool.run(self._cancel, req.caller.tenant, run)
        send(resp, render.whole(found))

    def _cancel(self, tenant: str, run: str) -> Run:
        self._runs.cancel(tenant, run)
        return self._runs.find(tenant, run)

    async def retry_run(self, req: Request, resp: Response, run: str) -> None:
        """``POST /runs/{run}/retry``."""
        body = await req.optional_object()
        refuse_members(body)
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            body,
            propose=self._runs.new_number,
            make=partial(self._retry, req.caller.tenant, run),
        )
        send_made(resp, made)

    def _retry(self, tenant: str, run: str, n: str | None) -> Made:
        again = self._runs.retry(tenant, run, n=n)
        return Made(
            status=202,
            body=render.summary(again),
            headers={"Location": location("runs", again.id)},
        )


def _query(req: Request) -> RunQuery:
    state = params.text(req, "state")
    states = {word.value: word for word in STATES}

    def parse(given: str) -> frozenset[RunState]:
        unknown = [word for word in given.split(",") if word not in states]
        if unknown:
            known = ", ".join(states)
            raise ValueError(f'"{unknown[0][:40]}" is not one of {known}')
        return frozenset(states[word] for word in given.split(","))

    return RunQuery(
        group=params.text(req, "group"),
        states=(params.parsed(req, "state", parse) or frozenset())
        if state
        else frozenset(),
        since=params.instant(req, "since"),
        until=params.instant(req, "until"),
        worker=params.text(req, "worker"),
    )
