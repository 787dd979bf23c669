"""A closed loop of HTTP clients in one thread, that takes little of the machine.

Each client keeps a connection, sends a request that was made before, and sends the next
one when the answer is there. It reads what it needs of HTTP/1.1: a status and a length.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop


@dataclass(slots=True)
class Answers:
    """What came back, and how long each took, in seconds."""

    took: list[float] = field(default_factory=list)
    wall: float = 0.0
    bodies: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.took) / self.wall


class Refused(AssertionError):
    """An answer that a benchmark can't count."""


def request(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: object = None,
) -> bytes:
    """Return a whole request; ``body`` is sent as JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by its class.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the service hung up"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _length(bytes(head))
        if len(rest) < length or self._answer is None:
            return
        status = int(head[9:12])
        self._buffer = rest[length:]
        if not self._answer.done():
            self._answer.set_result((status, bytes(rest[:length])))

    async def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Send a request; return the answer's status and body."""
        self._answer = asyncio.get_running_loop().create_future()
        assert self._transport is not None
        self._transport.write(sent)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


async def connect(url: str) -> Connection:
    """Return a connection to the service of a URL."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        Connection, parts.hostname, parts.port or 80
    )
    return connection


def drive(
    url: str,
    make: Callable[[int], bytes],
    *,
    clients: int,
    count: int,
    keep: bool = False,
) -> Answers:
    """Send ``count`` requests by so many clients; ``make`` gives each by its number.

    Raises ``Refused`` for an answer that is no success.
    """
    # Made before: the time is the service's.
    requests = [make(number) for number in range(count)]
    return uvloop.run(_drive(url, requests, clients=clients, keep=keep))


async def _drive(
    url: str, requests: list[bytes], *, clients: int, keep: bool
) -> Answers:
    answers = Answers()
    left = iter(requests)

    async def go_on(connection: Connection) -> None:
        for sent in left:
            began = time.perf_counter()
            status, body = await connection.ask(sent)
            answers.took.append(time.perf_counter() - began)
            if status >= 300:
                raise Refused(f"{status}: {body[:500]!r}")
            if keep:
                answers.bodies.append(body)

    connections = [await connect(url) for _ in range(clients)]
    began = time.perf_counter()
    try:
        await asyncio.gather(*(go_on(each) for each in connections))
    finally:
        answers.wall = time.perf_counter() - began
        for each in connections:
            each.close()
    return answers
