"""Connections to a service: opened when one is needed, kept while they are good.

By sockets and a parser of HTTP alone. The libraries above them take longer to import
than all else that a command does; what they would do here is an open connection kept,
and a proxy asked.
"""

from __future__ import annotations

import select
import socket
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urlsplit

from crony.client.address import is_loopback
from crony.client.answering import Incoming, Patience
from crony.client.failing import Broken, NotConnected, Obstacle
from crony.client.opening import Place, asks_who, context, opened
from crony.client.proxies import Proxy, proxy_for

if TYPE_CHECKING:
    import ssl

#: Methods of which an empty body is said to be empty.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

#: What an address may hold as it is, percent signs included.
_PATH = "!#$%&'()*+,/:;=?@[]~"


class Answered:
    """One answer: its status and headers, and a body that is still to be read.

    It holds its connection until the body was read to its end, or until it is closed.
    """

    def __init__(
        self, node: Node, lent: socket.socket, got: Incoming, *, reusable: bool
    ) -> None:
        self.status = got.status
        self._node = node
        self._reusable = reusable
        self._lent: socket.socket | None = lent
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
        return self._got.headers.get(name.lower(), "")

    @cached_property
    def content(self) -> bytes:
        """The whole body; what it claims to be long is not made room for."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        try:
            yield from self._got.pieces()
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back, or drop it where an answer is left in it."""
        if self._lent is not None:
            whole = self._reusable and self._got.leaves_it_open
            self._node.take_back(self._lent, whole=whole)
            # Once only: it may be somebody else's by the next time.
            self._lent = None


class Node:
    """One address of the service, and the connections that are kept to it."""

    def __init__(self, url: str) -> None:
        self._parts: SplitResult = urlsplit(url)
        self._is_secure = self._parts.scheme == "https"
        usual = 443 if self._is_secure else 80
        self._place = Place(self._parts.hostname or "", self._parts.port or usual)
        self._host = self._place.authority(usual=usual)
        self._prefix = quote(self._parts.path, safe=_PATH)
        self._kept: list[socket.socket] = []
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
        body for ``reading`` seconds. Raises ``NotConnected`` and other ``OSError``.
        """
        patience = Patience(until)
        lent = self._usable() or self._opened(min(until, monotonic() + connecting))
        try:
            lent.settimeout(patience.left())
            target, headers = self._addressed(target, headers)
            sent = _put(lent, _request(method, target, body, headers))
            got = Incoming(lent, patience)
            got.begin()
            self._check(got.status)
            patience.from_now_on(reading)
            return Answered(self, lent, got, reusable=sent)
        except BaseException:
            lent.close()
            raise

    def _check(self, status: int) -> None:
        if status < 200:
            # Nothing that we send asks for one. What follows would be taken for
            # the answer of the next request.
            raise Broken("the answer is only a beginning")
        if status == 407 and self._proxy is not None:
            raise asks_who(self._proxy)

    def take_back(self, lent: socket.socket, *, whole: bool) -> None:
        """Keep a connection, if its answer was read and both ends keep it open."""
        if whole:
            self._kept.append(lent)
        else:
            lent.close()

    def _usable(self) -> socket.socket | None:
        while self._kept:
            kept = self._kept.pop()
            poll = select.poll()
            poll.register(kept, select.POLLIN)
            # Nothing is to come yet, so what can be read is the other side's end.
            if not poll.poll(0):
                return kept
            kept.close()
        return None

    def _opened(self, until: float) -> socket.socket:
        try:
            return opened(
                self._place,
                proxy=self._proxy,
                trusted=self._trusted if self._is_secure else None,
                until=until,
            )
        except (OSError, ValueError) as exc:
            raise NotConnected(str(exc)) from exc

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


def _close(kept: list[socket.socket]) -> None:
    while kept:
        kept.pop().close()


def _request(
    method: str, target: str, body: bytes | None, headers: Mapping[str, str]
) -> bytes:
    """Return a request as it is sent; targets and headers were checked before."""
    lines = [f"{method} {target} HTTP/1.1", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None or method in _WITH_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def _put(lent: socket.socket, request: bytes) -> bool:
    """Send a request; false where the other side did not wait for all of it."""
    # A body that is refused is answered before it has been read: the answer says more
    # than the connection's end.
    with suppress(BrokenPipeError, ConnectionResetError):
        lent.sendall(request)
        return True
    return False
