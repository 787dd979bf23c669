"""Somebody who receives webhooks: a real HTTP server on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from crony.testing.serving import serving


@dataclass(frozen=True)
class Got:
    """One request, its headers in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        """What it says."""
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Verify it as the Standard Webhooks specification tells receivers to."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}."
        digest = hmac.digest(key, signed.encode() + self.body, hashlib.sha256)
        wanted = "v1," + base64.b64encode(digest).decode()
        return wanted in self.headers["webhook-signature"].split(" ")


@dataclass
class Answer:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Receiver:
    """Where it is, and what it got."""

    url: str
    requests: queue.Queue[Got]

    def next(self) -> Got:
        """Return the next request, once it is there."""
        return self.requests.get(timeout=30)

    @property
    def empty(self) -> bool:
        """Whether nothing is there."""
        return self.requests.empty()


@contextmanager
def receiving(
    answer: Callable[[Got], Answer] = lambda _: Answer(),
) -> Iterator[Receiver]:
    """Receive, and answer each request as told."""
    requests: queue.Queue[Got] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            got = Got(self.path, headers, self.rfile.read(length))
            said = answer(got)
            # Before the answer, which lets the next one come, in a thread of its own.
            requests.put(got)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as url:
        yield Receiver(url, requests)
