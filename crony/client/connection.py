"""Connections to a service: opened when one is needed, kept while they are good.

By ``http.client`` alone. The libraries above it take longer to import than all else
that a command does; what they would do here is an open connection kept, and a
proxy asked.
"""

from __future__ import annotations

import http.client
import select
import ssl
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from time import monotonic
from types import TracebackType
from urllib.parse import SplitResult, quote, urlsplit

from crony.client.address import is_loopback
from crony.client.failing import NotConnected, Obstacle
from crony.client.opening import Patience, Place, answer_in, asks_who, context, opened
from crony.client.proxies import Proxy, proxy_for

#: Read at once of an answer that comes bit by bit.
_PIECE = 1 << 16

#: What an address may hold as it is, percent signs included.
_PATH = "!#$%&'()*+,/:;=?@[]~"


class Answered:
    """One answer: its status and headers, and a body that is still to be read.

    It holds its connection until the body was read to its end, or until it is closed.
    """

    def __init__(
        self,
        node: Node,
        lent: http.client.HTTPConnection,
        got: http.client.HTTPResponse,
    ) -> None:
        self.status = got.status
        self._node = node
        self._lent: http.client.HTTPConnection | None = lent
        self._got = got

    def __enter__(self) -> Answered:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def header(self, name: str) -> str:
        """Return a header's text; nothing where there is none."""
        return self._got.getheader(name, "")

    @cached_property
    def content(self) -> bytes:
        """The whole body; what it claims to be long is not made room for."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        got = self._got
        try:
            # Of a known length it is all there. ``read1`` would not count, and wait
            # for more behind the end.
            read = got.read1 if got.length is None else got.read
            while piece := read(_PIECE):
                yield piece
            if got.length:
                raise http.client.IncompleteRead(b"", got.length)
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back, or drop it where an answer is left in it."""
        if self._lent is not None:
            self._node.take_back(self._lent, whole=self._got.isclosed())
            # Once only: it may be somebody else's by the next time.
            self._lent = None
        self._got.close()


class Node:
    """One address of the service, and the connections that are kept to it."""

    def __init__(self, url: str) -> None:
        self._parts: SplitResult = urlsplit(url)
        self._is_secure = self._parts.scheme == "https"
        usual = 443 if self._is_secure else 80
        self._place = Place(self._parts.hostname or "", self._parts.port or usual)
        self._host = self._place.authority(usual=usual)
        self._prefix = quote(self._parts.path, safe=_PATH)
        self._kept: list[http.client.HTTPConnection] = []
        # Also for those who forget to close.
        weakref.finalize(self, _close, self._kept)

    def close(self) -> None:
        """Close what is kept; the next request opens another."""
        _close(self._kept)

    def send(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        until: float,
        connecting: float,
        reading: float | None,
    ) -> Answered:
        """Send a request, and have the answer's headers ``until`` an instant.

        Of that, ``connecting`` is for a connection. Then wait for each part of the
        body for ``reading`` seconds. Raises ``NotConnected``, other ``OSError`` and
        ``http.client.HTTPException``.
        """
        patience = Patience(until)
        lent = self._usable() or self._opened(min(until, monotonic() + connecting))
        # It is called like the class, and nothing else.
        lent.response_class = partial(answer_in, patience=patience)  # type: ignore[assignment]
        try:
            lent.sock.settimeout(patience.left())
            target, headers = self._addressed(target, headers)
            _put(lent, method, target, body, headers)
            got = lent.getresponse()
            self._check(got.status)
            patience.from_now_on(reading)
            return Answered(self, lent, got)
        except BaseException:
            lent.close()
            raise

    def _check(self, status: int) -> None:
        if status < 200:
            # Nothing that we send asks for one. What follows would be taken for
            # the answer of the next request.
            raise http.client.HTTPException("the answer is only a beginning")
        if status == 407 and self._proxy is not None:
            raise asks_who(self._proxy)

    def take_back(self, lent: http.client.HTTPConnection, *, whole: bool) -> None:
        """Keep a connection, if its answer was read and both ends keep it open."""
        if whole and lent.sock is not None:
            self._kept.append(lent)
        else:
            lent.close()

    def _usable(self) -> http.client.HTTPConnection | None:
        while self._kept:
            kept = self._kept.pop()
            poll = select.poll()
            poll.register(kept.sock, select.POLLIN)
            # Nothing is to come yet, so what can be read is the other side's end.
            if not poll.poll(0):
                return kept
            kept.close()
        return None

    def _opened(self, until: float) -> http.client.HTTPConnection:
        try:
            sock = opened(
                self._place,
                proxy=self._proxy,
                trusted=self._trusted if self._is_secure else None,
                until=until,
            )
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise NotConnected(str(exc)) from exc
        made = http.client.HTTPConnection(*self._place)
        made.sock = sock
        # What was closed is not opened again behind our back, without TLS.
        made.auto_open = 0
        return made

    @property
    def proxy_name(self) -> str:
        """The proxy that is asked; nothing where none is."""
        try:
            return "" if self._proxy is None else self._proxy.name
        except Obstacle:
            return ""

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return context()

    @cached_property
    def _proxy(self) -> Proxy | None:
        if is_loopback(self._parts.geturl()):
            return None
        return proxy_for(self._parts)

    def _addressed(
        self, target: str, headers: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        """Return what to ask for, and with which headers, where a proxy is between.

        One that a tunnel leads through has had its own headers by then.
        """
        proxy = self._proxy
        headers = {"Host": self._host, **headers}
        if proxy is None or self._is_secure:
            return self._prefix + target, headers
        return f"http://{self._host}{self._prefix}{target}", {
            **headers,
            **proxy.headers,
        }


def _close(kept: list[http.client.HTTPConnection]) -> None:
    while kept:
        kept.pop().close()


def _put(
    lent: http.client.HTTPConnection,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
) -> None:
    try:
        lent.request(method, target, body=body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        # A body that is refused is answered before it has been read: the answer
        # says more than the connection's end.
        pass
    except ValueError as exc:
        raise http.client.HTTPException("a header holds what none may") from exc
