"""A request as Crony reads it: its path, its query, its body, its end."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote_to_bytes

import falcon.asgi

from crony import clock, errors
from crony.api import problems
from crony.api.bodies import reading
from crony.errors import Fault
from crony.model import ids
from crony.model.task import Json

if TYPE_CHECKING:
    from crony.api.auth import Caller
    from crony.api.routes import Route

_UNRESERVED = "-._~"
#: A path that is the same when it is decoded and encoded again.
_PLAIN = re.compile(rb"[A-Za-z0-9._~:/-]*")
#: What a body may be, beside JSON itself.
_JSON = ("application/json", "application/merge-patch+json")
KIB = 1 << 10
BODY = 1 << 20
LARGE_BODY = 16 << 20
#: How long a whole body may take; each of its pieces may be in time.
BODY_SECONDS = 60
#: From here on, parsing a body would hold up other requests.
_LARGE = 128 * KIB

Value = TypeVar("Value")


class Disconnected(Exception):
    """The client went away; there is nobody to answer."""


class Request(falcon.asgi.Request):
    """Falcon's request, with a caller, a route and a strict body."""

    #: Set by the middleware, before any responder runs.
    caller: Caller
    route: Route | None = None
    parameters: Mapping[str, list[str]]

    @property
    def number(self) -> str:
        """The request's own number, which its problem and its log share."""
        return str(self.scope["crony.number"])

    async def body(self) -> bytes:
        """Return the whole body, within its bound.

        Falcon takes a body that ends early for complete; this does not.
        """
        limit = LARGE_BODY if self.route and self.route.large else BODY
        declared = self.header("content-length")
        if declared is not None and int(declared) > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._received(limit)
        except TimeoutError as exc:
            raise problems.RequestProblem(
                problems.TIMEOUT, f"The body took longer than {BODY_SECONDS} s."
            ) from exc

    async def _received(self, limit: int) -> bytes:
        received = bytearray()
        event = self._first_event
        while True:
            if event is None:
                event = await self._receive()
            if event["type"] == "http.disconnect":
                raise Disconnected
            received += event.get("body", b"")
            if len(received) > limit:
                raise _too_large(limit)
            if not event.get("more_body", False):
                return bytes(received)
            event = None

    async def json(self) -> Json:
        """Return the body's JSON value."""
        self._check_media_type()
        return await _aside(reading.parse, await self.body())

    async def json_with_faults(self) -> tuple[Json, list[Fault]]:
        """Return the body's JSON value, and what a batch refuses item by item."""
        self._check_media_type()
        return await _aside(reading.parse_with_faults, await self.body())

    async def object(self) -> Mapping[str, Json]:
        """Return the body's JSON object."""
        return reading.an_object(await self.json())

    async def optional_object(self) -> Mapping[str, Json]:
        """Return the body's JSON object, or an empty one where there is no body."""
        raw = await self.body()
        if not raw:
            return {}
        self._check_media_type()
        return reading.an_object(await _aside(reading.parse, raw))

    def _check_media_type(self) -> None:
        given = (self.header("content-type") or "").partition(";")[0].strip().lower()
        if given not in _JSON:
            said = f'"{given[:80]}"' if given else "missing"
            raise problems.RequestProblem(
                problems.UNSUPPORTED,
                f"The body's Content-Type is {said}; send application/json.",
                headers={"Accept": ", ".join(_JSON)},
            )

    async def disconnected(self) -> None:
        """Return when the client has gone; only after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def header(self, name: str) -> str | None:
        """Return a header, byte by byte: no text in it may break the request."""
        value = self._asgi_headers.get(name.lower().encode())
        return None if value is None else value.decode("latin-1").strip()

    @property
    def raw_path(self) -> str:
        """The path as it was sent, for what must name this request exactly."""
        raw: bytes = self.scope.get("raw_path", b"") or self.scope["path"].encode()
        return raw.decode("latin-1")


async def _aside(parse: Callable[[bytes], Value], raw: bytes) -> Value:
    """Parse a body; a large one aside, so that nobody waits for it."""
    if len(raw) < _LARGE:
        return parse(raw)
    return await asyncio.to_thread(parse, raw)


def _too_large(limit: int) -> problems.RequestProblem:
    return problems.RequestProblem(
        problems.TOO_LARGE, f"The body is larger than {limit // KIB} KiB."
    )


def canonical(raw: bytes) -> str:
    """Return a path with each segment decoded and encoded again.

    Split raw first: ``a%2Fb`` is one segment. Falcon then routes what is still
    encoded, and ``segment`` decodes what it found.
    """
    path = raw.partition(b"?")[0]
    if _PLAIN.fullmatch(path):
        # PERF: that is nearly all of them.
        return path.decode("ascii")
    return "/".join(
        quote(unquote_to_bytes(part), safe=_UNRESERVED + ":")
        for part in path.split(b"/")
    )


def segment(text: str) -> str:
    """Return a decoded path segment, or refuse it."""
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError as exc:
        raise errors.NotFound("resource", "of a path that is not UTF-8") from exc
    if "\0" in decoded:
        raise errors.NotFound("resource", "of a path with a NUL character")
    return decoded


def new_number() -> str:
    """Return a request's number: 26 digits, ordered by time."""
    return ids.timed("", clock.host_now(), entropy=os.urandom(ids.ENTROPY))
