"""What happened: as a stream of events, or page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from crony import errors
from crony.api import params
from crony.api.answers import Response, encoded, send
from crony.api.event_types import types_of
from crony.api.node import Node
from crony.api.request import Request
from crony.api.streams import first
from crony.model import ids
from crony.model.event import Event
from crony.model.worker import Key
from crony.scheduler.events import Look, event_id, told

STREAM = "text/event-stream"
_RESUME = "Last-Event-ID"

#: A comment this often keeps a silent stream from being cut off, in seconds,
_BREATH = 15.0
#: and after so many a stream looks again when the store was away,
_AGAIN = 1.0
#: and after this many a client that was cut off comes back, in milliseconds.
_RETRY = 1000
#: So many events are read, and held for a client, at once.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which events a request asks for."""

    tenant: str
    types: frozenset[str]
    schedule: str | None


class Events:
    """``GET /events``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._events = node.service.events

    async def list_events(self, req: Request, resp: Response) -> None:
        """``GET /events``."""
        types = params.parsed(req, "types", types_of) or frozenset()
        after = _after(req)
        limit = params.limit(req)
        schedule = params.text(req, "schedule")
        if schedule is not None:
            schedule = await self._node.pool.run(
                self._events.schedule, req.caller.tenant, schedule
            )
        wanted = _Wanted(tenant=req.caller.tenant, types=types, schedule=schedule)
        if _prefers_pages(req):
            look = await self._look(wanted, after, limit=limit)
            items = [told(event) for event in look.events]
            send(resp, {"items": list(items), "next": self._events.mark(look)})
            return
        await self._stream(req, resp, wanted, after)

    async def _look(self, wanted: _Wanted, after: int | None, *, limit: int) -> Look:
        return await self._node.pool.run(
            self._events.look,
            wanted.tenant,
            after=after,
            limit=limit,
            types=wanted.types,
            schedule=wanted.schedule,
        )

    async def _stream(
        self, req: Request, resp: Response, wanted: _Wanted, after: int | None
    ) -> None:
        if after is None:
            after = await self._node.pool.run(self._events.newest, wanted.tenant)
        # What is gone already must be a problem, not a stream that fails.
        await self._look(wanted, after, limit=1)
        await req.body()
        resp.content_type = STREAM
        resp.set_header("X-Accel-Buffering", "no")
        if req.method != "HEAD":
            resp.stream = self._live(req, wanted, after)

    async def _live(
        self, req: Request, wanted: _Wanted, after: int
    ) -> AsyncIterator[bytes]:
        """Yield events as they come; an end is for the client to resume from."""
        gone = asyncio.ensure_future(req.disconnected())
        streams = self._node.streams
        news = streams.enter(wanted.tenant)
        clock = asyncio.get_running_loop().time
        try:
            yield f"retry: {_RETRY}\n".encode() + self._breath(after, ": open")
            breath_at = clock() + _BREATH
            while not gone.done() and not streams.closing:
                news.clear()
                look = await self._patient(wanted, after)
                if look is not None:
                    after = look.position
                    if look.events:
                        yield b"".join(_framed(event) for event in look.events)
                if clock() >= breath_at:
                    if not await self._holds(req.caller.key):
                        return
                    yield self._breath(after)
                    breath_at = clock() + _BREATH
                if look is None or not look.more:
                    left = breath_at - clock() if look is not None else _AGAIN
                    await first(news, gone, seconds=left)
        except errors.EventsPruned:
            # A client this slow hears of it when it resumes.
            return
        finally:
            gone.cancel()
            streams.leave(wanted.tenant, news)

    def _breath(self, after: int, comment: str = ":") -> bytes:
        """Return a comment with the position: who is cut off before an event, or
        long after one, goes on from there."""
        return f"{comment}\nid: {self._events.place(after)}\n\n".encode()

    async def _patient(self, wanted: _Wanted, after: int) -> Look | None:
        """Look; a store that is away for a while ends no stream."""
        try:
            return await self._look(wanted, after, limit=_AT_ONCE)
        except errors.Unavailable:
            return None

    async def _holds(self, key: Key) -> bool:
        """Return whether a key still works: a stream may outlive it."""
        until = key.expires_at
        if until is not None and until <= self._node.now():
            return False
        try:
            found = await self._node.pool.run(
                self._node.service.keys.find, key.tenant, key.id
            )
        except errors.NotFound:
            return False
        except errors.Unavailable:
            return True
        # SECURITY: another key may have come in its place.
        return found.digest == key.digest


def _after(req: Request) -> int | None:
    """Return the position to go on from; a stream that is resumed knows best."""
    header = req.header(_RESUME)
    if header:
        try:
            return _position(header)
        except ValueError as exc:
            raise errors.InvalidParameter(_RESUME, str(exc)) from exc
    return params.parsed(req, "after", _position)


def _position(text: str) -> int:
    try:
        sequence = ids.event_sequence(text)
    except ValueError as exc:
        raise ValueError(f'"{text[:64]}" is not the id of an event') from exc
    if sequence >= 1 << 63:
        raise ValueError(f'"{text[:64]}" is not the id of an event of this service')
    return sequence


def _prefers_pages(req: Request) -> bool:
    accept = req.header("Accept") or ""
    return "application/json" in accept and STREAM not in accept


def _framed(event: Event) -> bytes:
    """Return an event as a stream has it; JSON on one line has no line break."""
    head = f"id: {event_id(event)}\nevent: {event.type}\ndata: ".encode()
    return head + encoded(told(event)) + b"\n\n"
