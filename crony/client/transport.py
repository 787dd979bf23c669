"""Requests and answers: what all operations have in common."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Unpack, cast
from urllib.parse import urlencode

from crony import __version__, errors
from crony.client.address import base_urls, checked_key, path_of
from crony.client.failing import NotConnected, explained, reason_of
from crony.model.task import Json

if TYPE_CHECKING:
    from crony.client.connection import Answered, Node

#: An answer's JSON object.
Answer: TypeAlias = dict[str, Json]
#: What a query parameter may be; ``None`` leaves it out, many go with commas.
Parameter: TypeAlias = str | int | bool | Sequence[str] | None

#: Waits before each further try of what is safe to repeat. The first is none: a
#: connection that was kept may have been closed by the service a moment ago.
_PAUSES = (timedelta(0), timedelta(milliseconds=100), timedelta(milliseconds=400))

_CONNECT = timedelta(seconds=5)

#: What a header may hold; a line break would begin another one.
_SENDABLE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")

#: Answers of a node, or of a proxy before it, that can do nothing at present.
_AILING = (502, 503, 504)


class _Options(TypedDict, total=False):
    """What a request may have besides its path."""

    params: Mapping[str, Parameter] | None
    body: Mapping[str, object] | None
    #: A body as it is, instead; the headers say what it is.
    raw: bytes | None
    headers: Mapping[str, str | None] | None
    #: Of a stream: how long it may be silent, else for ever.
    timeout: timedelta | None
    #: Sending it twice does no harm; a GET never does.
    repeatable: bool
    #: The body is read bit by bit, and may be silent for long.
    stream: bool


class Transport:
    """What is sent to the service; the first request opens a connection.

    ``api_url`` may name several nodes, with commas between. One is asked for as long
    as it answers, and the next one in turn when it does not.
    """

    def __init__(
        self,
        api_url: str,
        *,
        key: str,
        tenant: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self._urls = base_urls(api_url)
        self._turn = 0
        self._key = checked_key(key) if key else ""
        self._tenant = tenant
        self._timeout = timeout
        self._nodes: dict[str, Node] = {}

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        for node in self._nodes.values():
            node.close()

    @property
    def _url(self) -> str:
        """The address of the node that is asked at present."""
        return self._urls[self._turn]

    def _turn_away(self) -> None:
        """Ask the next node from now on."""
        self._turn = (self._turn + 1) % len(self._urls)

    def _node(self) -> Node:
        # Imported here: programs that end before their first request should not pay
        # for it.
        from crony.client.connection import Node

        node = self._nodes.get(self._url)
        if node is None:
            node = self._nodes[self._url] = Node(self._url)
        return node

    def _call(self, method: str, *segments: str, **options: Unpack[_Options]) -> Answer:
        """Send one request; return the JSON object answered, ``{}`` for nothing."""
        response = self._respond(method, *segments, **options)
        if not response.content:
            return {}
        answer = _parsed(response)
        if not isinstance(answer, dict):
            raise errors.Refused(response.status, _foreign(self._url))
        return cast(Answer, answer)

    def _respond(
        self, method: str, *segments: str, **options: Unpack[_Options]
    ) -> Answered:
        """Send one request; return an answer that is no problem."""
        body, raw = options.get("body"), options.get("raw")
        request = _Request(
            method,
            path_of(segments) + _query(options.get("params") or {}),
            self._headers(options.get("headers") or {}, with_body=body is not None),
            raw if body is None else _encoded(body),
        )
        stream = options.get("stream", False)
        timeout = options.get("timeout") or self._timeout
        # A stream may be silent for as long as its run is, once it has begun.
        reading = options.get("timeout") if stream else timeout
        until = _after(timeout)
        repeatable = method == "GET" or options.get("repeatable", False)
        pauses = iter(_PAUSES if repeatable else ())
        others = len(self._urls) - 1
        while True:
            try:
                response = self._send(
                    request, until=until, others=others, reading=reading, stream=stream
                )
            except errors.ServiceUnreachable as exc:
                self._turn_away()
                if others and _unsent(exc):
                    # No node has seen it, so the next one may.
                    others -= 1
                    continue
                pause = None if _timed_out(exc) else next(pauses, None)
                if pause is None or _after(pause) >= until:
                    raise
                time.sleep(pause.total_seconds())
                others = len(self._urls) - 1
                continue
            if response.status >= 300:
                raise self._refused(response)
            return response

    def _send(
        self,
        request: _Request,
        *,
        until: float,
        others: int,
        reading: timedelta | None,
        stream: bool,
    ) -> Answered:
        # The nodes that may have to be asked as well have their share of the time.
        share = (until - time.monotonic()) / (1 + others)
        with self._unreachable():
            response = self._node().send(
                request.method,
                request.target,
                body=request.body,
                headers=request.headers,
                until=until,
                connecting=min(_CONNECT.total_seconds(), share),
                reading=None if reading is None else reading.total_seconds(),
            )
            if not stream:
                # It is read here, so that what breaks off is sent again.
                _ = response.content
            return response

    @contextmanager
    def _unreachable(self) -> Iterator[None]:
        """Say what to do when there is no answer, instead of which socket failed."""
        try:
            yield
        except OSError as exc:
            detail = explained(
                reason_of(exc),
                self._url,
                all_urls=self._urls,
                proxy=self._node().proxy_name,
            )
            raise errors.ServiceUnreachable(detail) from exc

    def _headers(
        self, given: Mapping[str, str | None], *, with_body: bool
    ) -> dict[str, str]:
        headers = {
            "Accept": "application/json, application/problem+json",
            "User-Agent": f"crony/{__version__}",
        }
        if with_body:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        if self._tenant is not None:
            headers["X-Crony-Tenant"] = self._tenant
        headers.update({name: value for name, value in given.items() if value})
        for name, value in headers.items():
            _check_header(name, value)
        return headers

    def _refused(self, response: Answered) -> errors.Refused:
        refusal = self._refusal(response)
        if refusal.status in _AILING:
            # This node may be cut off from the store, and another not.
            self._turn_away()
        return refusal

    def _refusal(self, response: Answered) -> errors.Refused:
        with self._unreachable():
            problem = _parsed(response)
        if not isinstance(problem, dict):
            problem = _foreign(self._url)
        return errors.Refused(
            response.status, problem, retry_after=_retry_after(response)
        )


class _Request:
    """All of a request, so that it can be sent again as it is."""

    __slots__ = ("body", "headers", "method", "target")

    def __init__(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body


def _after(wait: timedelta) -> float:
    return time.monotonic() + wait.total_seconds()


def _check_header(name: str, value: str) -> None:
    if not _SENDABLE.fullmatch(value):
        # SECURITY: the value is not quoted, since it may be a secret.
        raise errors.InvalidParameter(
            name,
            "its value holds what no header may: a line break or another control "
            "character, or a letter beyond Latin-1",
        )


def _timed_out(exc: errors.ServiceUnreachable) -> bool:
    """Whether the caller's patience is used up, so that trying again exceeds it."""
    return isinstance(reason_of(exc), TimeoutError)


def _unsent(exc: errors.ServiceUnreachable) -> bool:
    """Whether there was not even a connection, and not for want of trust."""
    from ssl import SSLCertVerificationError

    unsent = isinstance(exc.__cause__, NotConnected)
    return unsent and not isinstance(reason_of(exc), SSLCertVerificationError)


def _encoded(body: Mapping[str, object]) -> bytes:
    # A lone surrogate is escaped, not sent as broken UTF-8: the service says why
    # it is refused.
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _query(params: Mapping[str, Parameter]) -> str:
    said = {n: _parameter(value) for n, value in params.items() if value is not None}
    return f"?{urlencode(said)}" if said else ""


def _parameter(value: str | int | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else ",".join(value)


def _parsed(response: Answered) -> object:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _foreign(url: str) -> dict[str, object]:
    return {
        "title": "Not an answer of Crony",
        "detail": f"what answers at {url} is not a Crony service; check the address",
    }


def _retry_after(response: Answered) -> timedelta | None:
    text = response.header("Retry-After")
    if not text.isascii() or not text.isdigit():
        return None
    # Python makes no number of thousands of digits.
    return timedelta(seconds=min(int(text), 86_400) if len(text) < 9 else 86_400)
