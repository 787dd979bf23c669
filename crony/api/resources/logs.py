"""The output of attempts: whole, in part, or as it comes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence

from crony import errors
from crony.api import params, problems
from crony.api.answers import Response
from crony.api.node import Node
from crony.api.request import Request
from crony.api.streams import first
from crony.model.run import LogChunk

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_TEXT = "text/plain; charset=utf-8"
_EVENTS = "text/event-stream"
_ATTEMPTS = range(1, 2**31)

#: A comment line this often keeps a silent stream from being cut off, in seconds.
_BREATH = 15.0
#: How late output may be that nobody told of, in seconds.
_LOOK = 1.0


class Logs:
    """``GET /runs/{run}/log``."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def get_log(self, req: Request, resp: Response, run: str) -> None:
        """``GET /runs/{run}/log``."""
        attempt = params.integer(req, "attempt", bounds=_ATTEMPTS, default=0) or None
        as_events = _prefers_events(req)
        if as_events or params.flag(req, "follow"):
            await self._follow(req, resp, run, attempt, as_events=as_events)
            return
        chunks, _ = await self._read(req.caller.tenant, run, attempt, after=0)
        _send_part(req, resp, b"".join(c.data for c in _in_order(chunks)))

    async def _read(
        self, tenant: str, run: str, attempt: int | None, *, after: int
    ) -> tuple[Sequence[LogChunk], bool]:
        return await self._node.pool.run(
            self._node.service.runs.log, tenant, run, attempt=attempt, after=after
        )

    async def _follow(
        self,
        req: Request,
        resp: Response,
        run: str,
        attempt: int | None,
        *,
        as_events: bool,
    ) -> None:
        tenant = req.caller.tenant
        # A run that is not there must be a problem, not a stream that fails.
        await self._node.pool.run(self._node.service.runs.find, tenant, run)
        await req.body()
        resp.content_type = _EVENTS if as_events else _TEXT
        resp.set_header("X-Accel-Buffering", "no")
        if req.method == "HEAD":
            return
        stream = self._live(req, tenant, run, attempt)
        resp.stream = _events(stream) if as_events else _bytes(stream)

    async def _live(
        self, req: Request, tenant: str, run: str, attempt: int | None
    ) -> AsyncIterator[LogChunk | None]:
        """Yield chunks as they come, ``None`` now and then, until the end."""
        gone = asyncio.ensure_future(req.disconnected())
        tails = self._node.tails
        event = tails.enter(run)
        after, number = 0, attempt
        clock = asyncio.get_running_loop().time
        breath_at = clock() + _BREATH
        try:
            while not gone.done() and not tails.closing:
                event.clear()
                found = await self._node.pool.run(
                    self._node.service.runs.find, tenant, run
                )
                if attempt is None and found.attempt != number:
                    # The newest attempt is followed, from its beginning.
                    after, number = 0, found.attempt
                chunks, closed = await self._read(
                    tenant, run, number or None, after=after
                )
                for chunk in _in_order(chunks):
                    after = max(after, chunk.sequence)
                    breath_at = clock() + _BREATH
                    yield chunk
                if closed and (found.over or attempt is not None):
                    return
                if clock() >= breath_at:
                    breath_at = clock() + _BREATH
                    yield None
                told = self._node.service.wakes.hears_all
                await first(event, gone, seconds=_BREATH if told else _LOOK)
        except errors.NotFound:
            # Pruned while it was read: there is no more.
            return
        finally:
            gone.cancel()
            tails.leave(run, event)


async def _bytes(chunks: AsyncIterator[LogChunk | None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if chunk is not None and chunk.data:
            yield chunk.data


async def _events(chunks: AsyncIterator[LogChunk | None]) -> AsyncIterator[bytes]:
    """Yield ``log`` events, whose data is JSON, and a last one named ``end``."""
    async for chunk in chunks:
        if chunk is None:
            yield b": waiting\n\n"
            continue
        data = {
            "stream": chunk.stream,
            "offset": chunk.offset,
            "dropped": chunk.dropped,
            "text": chunk.data.decode("utf-8", "replace"),
        }
        yield f"event: log\ndata: {json.dumps(data)}\n\n".encode()
    yield b"event: end\ndata: {}\n\n"


def _in_order(chunks: Sequence[LogChunk]) -> list[LogChunk]:
    return sorted(chunks, key=lambda chunk: chunk.sequence)


def _prefers_events(req: Request) -> bool:
    accept = req.header("Accept") or ""
    return _EVENTS in accept and "text/plain" not in accept


def _send_part(req: Request, resp: Response, data: bytes) -> None:
    """Answer with the log, or with the one range that was asked for."""
    resp.content_type = _TEXT
    resp.set_header("Accept-Ranges", "bytes")
    asked = req.header("Range")
    # A Range of another form or unit is to be ignored (RFC 9110).
    match = _RANGE.fullmatch(asked) if asked else None
    if match is None or not (match[1] or match[2]):
        resp.data = data
        return
    size = len(data)
    if match[1]:
        first = int(match[1])
        last = min(int(match[2]), size - 1) if match[2] else size - 1
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first >= size or first > last:
        raise problems.RequestProblem(
            problems.RANGE,
            f"The log has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    resp.status = 206
    resp.set_header("Content-Range", f"bytes {first}-{last}/{size}")
    resp.data = data[first : last + 1]
