"""What strangers send, and how many may: none of it is the service's fault."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from crony.testing.service import ServiceProcess, running_service
from tests.integration.api.caller import ECHO, Caller
from tests.integration.api.connecting import connected, everything
from tests.integration.api.test_ending import processes_of


def problem(raw: bytes) -> tuple[int, str]:
    """Return status and type of a raw answer, which must be a problem."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head
    said = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % said["status"])
    return said["status"], said["type"].removeprefix("urn:crony:problem:")


#: By name: the bytes, and the problem they are.
NOT_HTTP = {
    "words": (b"nonsense\r\n\r\n", (400, "malformed-request")),
    "version": (b"GET / HTTP/9.9\r\n\r\n", (400, "malformed-request")),
    "long address": (
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        (414, "uri-too-long"),
    ),
    "long header": (
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n",
        (431, "headers-too-large"),
    ),
    "many headers": (
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * 200 + b"\r\n",
        (431, "headers-too-large"),
    ),
    "length": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        (400, "malformed-request"),
    ),
    "endless length": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        (400, "malformed-request"),
    ),
    "two lengths": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        (400, "malformed-request"),
    ),
    "coding": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n",
        (501, "unsupported-coding"),
    ),
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_not_http_is_answered_with_a_problem(
    service: ServiceProcess, name: str
) -> None:
    raw, expected = NOT_HTTP[name]
    with connected(service) as end:
        end.sendall(raw)
        assert problem(everything(end)) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /runs?a=\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET http://x/schedules HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /runs HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\r\n"
        b"Connection: close\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nAccept: \xff;;q=\r\n"
        b"Connection: close\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: upgrade, close\r\n\r\n",
        b"GET /schedules HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:60]),
)
def test_odd_requests_are_never_the_services_fault(
    service: ServiceProcess, raw: bytes
) -> None:
    with connected(service) as end:
        end.sendall(raw)
        answer = everything(end)
    assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), answer


def test_headers_that_come_too_slowly_end_the_connection(
    service: ServiceProcess,
) -> None:
    with connected(service) as silent, connected(service) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        # Each byte in time, and all of them too late.
        trickle = threading.Thread(target=_trickle, args=(slow,))
        trickle.start()
        assert problem(everything(slow)) == (408, "timeout")
        assert problem(everything(silent)) == (408, "timeout")
        assert time.monotonic() - started < 10
        trickle.join()


def _trickle(end: socket.socket) -> None:
    stop = threading.Event()
    for _ in range(50):
        try:
            end.sendall(b"A")
        except OSError:
            return
        stop.wait(0.1)


def test_a_body_that_ends_early_creates_nothing(
    service: ServiceProcess, tenant: Caller
) -> None:
    body = json.dumps({"name": "cut", "every": "1h", "task": ECHO}).encode()
    head = (
        f"POST /schedules HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\n"
        f"X-Crony-Tenant: {tenant.headers['X-Crony-Tenant']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body) + 10}\r\n\r\n"
    )
    with connected(service) as end:
        end.sendall(head.encode() + body)
        end.shutdown(socket.SHUT_WR)
        everything(end)
    assert tenant("GET", "/schedules/cut").status_code == 404


def test_more_connections_than_the_bound_are_refused(tmp_path: Path) -> None:
    with running_service(tmp_path / "home", max_connections="8") as service:
        ends = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(8)]
        with connected(service) as one_more:
            assert problem(everything(one_more)) == (503, "overloaded")
        for end in ends:
            end.close()
        deadline = time.monotonic() + 10
        while True:
            with connected(service) as end:
                end.sendall(
                    b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                if everything(end).startswith(b"HTTP/1.1 200"):
                    break
            assert time.monotonic() < deadline


def test_many_may_connect_while_the_service_is_busy(tmp_path: Path) -> None:
    with running_service(tmp_path / "home") as service, ExitStack() as opened:
        (child,) = processes_of(service)
        os.kill(child, signal.SIGSTOP)
        try:
            for _ in range(300):
                opened.enter_context(
                    socket.create_connection(("127.0.0.1", service.port), timeout=5)
                )
        finally:
            os.kill(child, signal.SIGCONT)
