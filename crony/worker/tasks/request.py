"""One HTTP exchange of an http task, redirects included."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urljoin, urlsplit

from crony import __version__, errors
from crony.model.task import JsonObject
from crony.worker import reading
from crony.worker.tasks.addresses import Rules

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
#: Bytes of JSON that status and body may be, and what is read for that at most.
_RESULT_BOUND = 64 << 10
_READ = _RESULT_BOUND
_TIMEOUT = 60.0
#: SECURITY: these go to the host they were meant for alone.
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Request:
    """What to send."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, its body bounded."""

    status: int
    body: str

    def result(self) -> JsonObject:
        """Return it as a run's result."""
        return {"status": self.status, "body": self.body}


def parse(task: JsonObject) -> Request:
    """Read the request of a task."""
    wanted = reading.mapping(task, "http")
    body = reading.optional_text(wanted, "body")
    return Request(
        reading.optional_text(wanted, "method") or "GET",
        reading.text(wanted, "url"),
        reading.strings(wanted, "headers"),
        None if body is None else body.encode(),
    )


def as_expected(status: int, expected: str) -> bool:
    """Whether the status is ``expected``, such as ``"2xx"`` or ``"204"``."""
    text = str(status)
    return expected == text or (expected[1:] == "xx" and expected[0] == text[0])


def exchange(
    request: Request, rules: Rules, connected: Callable[[socket.socket], None]
) -> Response:
    """Send a request and follow where it leads, each step by the rules.

    ``connected`` gets every socket, so that somebody else can shut it down.
    Raises ``SandboxFailed`` for what the rules forbid, ``ConnectionError`` when
    there is no answer.
    """
    for _ in range(_MOST_REDIRECTS + 1):
        response, target = _once(request, rules, connected)
        if target is None:
            return response
        request = _redirected(request, response.status, target)
    raise ConnectionError(f"more than {_MOST_REDIRECTS} redirects")


def _once(
    request: Request, rules: Rules, connected: Callable[[socket.socket], None]
) -> tuple[Response, str | None]:
    parts = urlsplit(request.url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise errors.SandboxFailed("a redirect leads to something that is not HTTP")
    connection = _connect(parts, rules, connected)
    headers = {"User-Agent": f"crony/{__version__}", **request.headers}
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(request.method, path, body=request.body, headers=headers)
        answer = connection.getresponse()
        body = answer.read(_READ)
        if answer.length and len(body) < _READ:
            raise http.client.IncompleteRead(body, answer.length)
        response = _bounded(answer.status, body)
        target = answer.getheader("Location")
    except http.client.IncompleteRead as exc:
        raise ConnectionError(f"the answer from {parts.netloc} was cut off") from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise ConnectionError(f"no answer from {parts.netloc}") from exc
    finally:
        connection.close()
    redirects = response.status in _REDIRECTS and target is not None
    return response, _joined(request.url, target) if redirects and target else None


def _joined(url: str, target: str) -> str:
    """Return where a redirect leads."""
    try:
        joined = urljoin(url, target)
        _ = urlsplit(joined).port
    except ValueError as exc:
        raise ConnectionError("a redirect leads to something that is no URL") from exc
    return joined


def _connect(
    parts: SplitResult, rules: Rules, connected: Callable[[socket.socket], None]
) -> http.client.HTTPConnection:
    """Connect to an address that was checked, under the name that was asked for."""
    secure = parts.scheme == "https"
    host = parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    opened: socket.socket | None = None
    for address in rules.resolve(host, port):
        try:
            opened = socket.create_connection((address, port), timeout=_TIMEOUT)
            break
        except OSError:
            continue
    if opened is None:
        raise ConnectionError(f"no connection to {parts.netloc}")
    connected(opened)
    connection = http.client.HTTPConnection(host, parts.port or port, timeout=_TIMEOUT)
    if secure:
        # Only the default port may be left out of the Host header.
        connection.default_port = 443
        opened = _wrapped(opened, host)
        connected(opened)
    connection.sock = opened
    return connection


def _wrapped(opened: socket.socket, host: str) -> ssl.SSLSocket:
    try:
        return ssl.create_default_context().wrap_socket(opened, server_hostname=host)
    except (OSError, ValueError) as exc:
        opened.close()
        raise ConnectionError(
            f"no TLS connection with {host}: its certificate may not be trusted"
        ) from exc


def _redirected(request: Request, status: int, target: str) -> Request:
    moved = replace(request, url=target)
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        moved = replace(moved, method="GET", body=None)
    if urlsplit(target).netloc != urlsplit(request.url).netloc:
        kept = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _CREDENTIALS
        }
        moved = replace(moved, headers=kept)
    return moved


def _bounded(status: int, body: bytes) -> Response:
    """Cut the body so that the result fits, escapes counted."""
    text = body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    while len(json.dumps(Response(status, text).result())) > _RESULT_BOUND:
        text = text[: len(text) * 3 // 4]
    return Response(status, text)
