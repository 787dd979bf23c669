"""One HTTP exchange of an http task, redirects included."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from crony import __version__, errors
from crony.model.task import JsonObject
from crony.outbound import Connected, Rules, connect
from crony.worker import reading

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


def exchange(request: Request, rules: Rules, connected: Connected) -> Response:
    """Send a request and follow where it leads, each step by the rules.

    ``connected`` gets every socket, so that somebody else can shut it down.
    Raises ``AddressRefused`` for what the rules forbid, ``ConnectionError`` when
    there is no answer.
    """
    for _ in range(_MOST_REDIRECTS + 1):
        response, target = _once(request, rules, connected)
        if target is None:
            return response
        request = _redirected(request, response.status, target)
    raise ConnectionError(f"more than {_MOST_REDIRECTS} redirects")


def _once(
    request: Request, rules: Rules, connected: Connected
) -> tuple[Response, str | None]:
    parts = urlsplit(request.url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise errors.AddressRefused("a redirect leads to something that is not HTTP")
    connection = connect(parts, rules, connected, seconds=_TIMEOUT)
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
