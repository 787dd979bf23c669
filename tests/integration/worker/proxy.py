"""A way between worker and service that can be bad, on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from http.server import BaseHTTPRequestHandler

import requests

from crony.testing.service import ServiceProcess
from crony.testing.serving import serving


class Mode(Enum):
    """What becomes of requests."""

    PASS = "pass"
    #: Answered by the way itself: the service is said to be unavailable.
    UNAVAILABLE = "unavailable"
    #: The service acts on it, and its answer is lost.
    LOSE_ANSWER = "lose_answer"
    #: The service answers ``status`` to every request that has ``poison`` in it.
    BREAK = "break"
    #: Leases arrive without a member that they must have.
    SPOIL = "spoil"


@dataclass
class Way:
    """The service as seen through the proxy."""

    service: ServiceProcess
    #: For paths that end so; what is not here passes.
    modes: dict[str, Mode] = field(default_factory=dict)
    #: What the service breaks on, and how.
    poison: bytes = b""
    status: int = 500
    #: So many requests met that fate.
    spoilt: int = 0
    #: So many requests came for each path.
    seen: Counter[str] = field(default_factory=Counter)

    def mode_of(self, path: str) -> Mode:
        """Return what becomes of a request."""
        for end, mode in self.modes.items():
            if path.endswith(end):
                return mode
        return Mode.PASS


@contextmanager
def bad_way(service: ServiceProcess) -> Iterator[Way]:
    """Yield a way to the service that passes everything at first."""
    way = Way(service)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            way.seen[self.path] += 1
            mode = way.mode_of(self.path)
            if mode is Mode.BREAK and way.poison not in body:
                mode = Mode.PASS
            if mode is not Mode.PASS:
                way.spoilt += 1
            if mode is Mode.UNAVAILABLE:
                self._answer(503, b'{"type": "urn:crony:problem:overloaded"}')
                return
            if mode is Mode.BREAK:
                self._answer(way.status, b'{"type": "urn:crony:problem:other"}')
                return
            kept = ("Authorization", "Content-Type", "Accept")
            answer = requests.post(
                service.url + self.path,
                data=body,
                headers={name: self.headers[name] for name in kept},
                timeout=60,
            )
            if mode is Mode.LOSE_ANSWER:
                self.close_connection = True
                return
            content = answer.content
            # A long poll has waited meanwhile.
            if way.mode_of(self.path) is Mode.SPOIL:
                content = content.replace(b'"max_runtime"', b'"least_runtime"')
            self._answer(answer.status_code, content)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return  # the worker has ended

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as url:
        way.service = replace(service, url=url)
        yield way
