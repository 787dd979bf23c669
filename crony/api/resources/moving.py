"""Moving house: tenants leave as lines, arrive as lines, are held and activated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from crony import errors
from crony.api import params, problems
from crony.api.answers import Made, Response, encoded, send_made
from crony.api.node import Node
from crony.api.render import admin as render
from crony.api.request import Request
from crony.api.resources.named import made
from crony.model.task import Json
from crony.model.worker import Role, Tenant
from crony.scheduler.moving import MEDIA_TYPE, Outcome, Place

#: Holds a tenant, or lets it go.
_Change = Callable[[str], Tenant]

#: So much of an export is put together at once.
_CHUNK = 256 << 10


class Moving:
    """``/export`` and ``/import``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._departure = node.service.departure
        self._arriving = node.service.arriving
        self._releasing = node.service.releasing

    async def export_records(self, req: Request, resp: Response) -> None:
        """``GET /export``."""
        of_all = params.flag(req, "all")
        if of_all and req.caller.role is not Role.ADMIN:
            raise errors.Forbidden("only an admin key may export all tenants")
        lines = self._departure.lines(
            None if of_all else (req.caller.tenant,),
            secrets=params.flag(req, "secrets"),
            after=params.parsed(req, "behind", _place),
        )
        # What is refused must be a problem, not a stream that fails.
        first = await self._node.pool.run(_chunk, lines)
        await req.body()
        resp.content_type = MEDIA_TYPE
        resp.set_header("X-Accel-Buffering", "no")
        if req.method != "HEAD":
            resp.stream = self._chunks(req, first, lines)

    async def _chunks(
        self, req: Request, chunk: bytes, lines: Iterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield an export; one that ends early is for the client to go on with."""
        gone = asyncio.ensure_future(req.disconnected())
        try:
            while chunk and not gone.done() and not self._node.streams.closing:
                yield chunk
                chunk = await self._node.pool.run(_chunk, lines)
        except errors.Unavailable:
            return
        finally:
            gone.cancel()

    async def hold_tenant(self, req: Request, resp: Response) -> None:
        """``POST /export/hold``."""
        await req.optional_object()
        hold = partial(self._release, req, self._releasing.hold)
        send_made(resp, await self._node.pool.run(hold))

    async def import_records(self, req: Request, resp: Response) -> None:
        """``POST /import``; a line with faults spoils no other."""
        given = (req.header("content-type") or "").partition(";")[0].strip().lower()
        if given != MEDIA_TYPE:
            raise problems.RequestProblem(
                problems.UNSUPPORTED,
                f"The body is no export; send {MEDIA_TYPE}.",
                headers={"Accept": MEDIA_TYPE},
            )
        raw = await req.body()
        resp.content_type = "application/json"
        resp.data = await self._node.pool.run(self._take, req, raw)

    def _take(self, req: Request, raw: bytes) -> bytes:
        caller = req.caller
        outcomes = list(
            self._arriving.take(
                raw.splitlines(),
                tenant=None if caller.everywhere else caller.tenant,
                admin=caller.role is Role.ADMIN,
            )
        )
        self._node.rates.forget(caller.tenant)
        outcomes.sort(key=lambda outcome: outcome.line)
        results: list[Json] = [_result(each, req.number) for each in outcomes]
        return encoded({"results": results})

    async def activate_tenant(self, req: Request, resp: Response) -> None:
        """``POST /import/activate``."""
        await req.optional_object()
        activate = partial(self._release, req, self._releasing.activate)
        send_made(resp, await self._node.pool.run(activate))

    def _release(self, req: Request, change: _Change) -> Made:
        tenant = change(req.caller.tenant)
        usage = self._node.service.tenants.usage(tenant.name)
        body = render.tenant(tenant, usage)
        return made(req, "tenants", tenant, body, status=200)


def _chunk(lines: Iterator[bytes]) -> bytes:
    """Return the next lines; nothing at the end."""
    chunk = bytearray()
    for line in lines:
        chunk += line
        if len(chunk) >= _CHUNK:
            break
    return bytes(chunk)


def _place(text: str) -> Place:
    try:
        return Place.of(text)
    except ValueError as exc:
        raise ValueError(
            f'"{text[:80]}" is no place in an export: tenant/kind/id'
        ) from exc


def _result(outcome: Outcome, instance: str) -> dict[str, Json]:
    problem: Json = None
    if outcome.error is not None:
        problem = problems.of(outcome.error).body(instance=instance)
    return {
        "line": outcome.line,
        "kind": None if outcome.kind is None else outcome.kind.value,
        "id": outcome.id or None,
        "outcome": outcome.word,
        "problem": problem,
    }
