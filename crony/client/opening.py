"""A way to a node: a socket, through a proxy where one is between, and TLS in it."""

from __future__ import annotations

import http.client
import io
import os
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from crony.client.failing import Obstacle
from crony.client.proxies import Proxy
from crony.reaching import addresses_of, reached

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Files, or folders, of certificates to trust instead of the system's.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Place(NamedTuple):
    """A host, an IPv6 address without brackets, and its port."""

    host: str
    port: int

    def authority(self, *, usual: int | None = None) -> str:
        """Return it as HTTP writes it, without the port where that is the usual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        return host if self.port == usual else f"{host}:{self.port}"


class Patience:
    """How long to wait: until an instant for all there is, or for each part."""

    def __init__(self, until: float) -> None:
        self._until: float | None = until
        self._each: float | None = None

    def left(self) -> float | None:
        """Return the seconds that are left, ``None`` for ever."""
        if self._until is None:
            return self._each
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left

    def from_now_on(self, each: float | None) -> None:
        """Wait for each part by itself."""
        self._until, self._each = None, each


class Received(io.RawIOBase):
    """What a socket receives, waited for as long as there is patience."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._patience = patience

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Wait for the next bytes."""
        self._sock.settimeout(self._patience.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Source(NamedTuple):
    """All that ``http.client`` asks of the socket of an answer."""

    sock: socket.socket
    patience: Patience

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(Received(self.sock, self.patience))


def answer_in(
    sock: socket.socket, *, patience: Patience, method: str
) -> http.client.HTTPResponse:
    """Return the answer that is still to be read from a socket."""
    source = cast(socket.socket, _Source(sock, patience))
    return http.client.HTTPResponse(source, method=method)


def opened(
    place: Place,
    *,
    proxy: Proxy | None,
    trusted: ssl.SSLContext | None,
    until: float,
) -> socket.socket:
    """Connect ``until`` an instant; ``trusted`` is for TLS.

    Raises ``OSError``, ``ValueError`` and ``http.client.HTTPException``.
    """
    at = place if proxy is None else Place(proxy.host, proxy.port)
    made = reached(addresses_of(at.host, at.port), until=until)
    patience = Patience(until)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if trusted is None:
            return made
        if proxy is not None:
            _tunnel(made, place, proxy, patience)
        made.settimeout(patience.left())
        return trusted.wrap_socket(made, server_hostname=place.host)
    except BaseException:
        made.close()
        raise


def _tunnel(
    sock: socket.socket, place: Place, proxy: Proxy, patience: Patience
) -> None:
    """Have a proxy connect to a place."""
    target = place.authority()
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
    sock.settimeout(patience.left())
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    answer = answer_in(sock, patience=patience, method="CONNECT")
    try:
        answer.begin()
    finally:
        answer.close()
    if answer.status == 407:
        raise asks_who(proxy)
    if not 200 <= answer.status < 300:
        raise Obstacle(
            f"the proxy {proxy.name} does not connect to {target}: it answered "
            f"{answer.status}"
        )


def asks_who(proxy: Proxy) -> Obstacle:
    """Return what to do where a proxy wants a name and a password."""
    return Obstacle(
        f"the proxy {proxy.name} asks for a name and a password (407); they belong "
        f"into its address: http://NAME:PASSWORD@{proxy.name}"
    )


def context() -> ssl.SSLContext:
    """Return whose certificates are good: the system's word, or that of a bundle."""
    name = next((name for name in _BUNDLES if os.environ.get(name)), None)
    if name is None:
        return ssl.create_default_context()
    path = os.environ[name]
    folder = Path(path).is_dir()
    try:
        return ssl.create_default_context(
            cafile=None if folder else path, capath=path if folder else None
        )
    except ssl.SSLError as exc:
        raise Obstacle(f"{name} is {path}, which holds no certificates in PEM") from exc
    except OSError as exc:
        raise Obstacle(
            f"{name} is {path}, which can't be read: {exc.strerror}"
        ) from exc
