"""A way to a node: a socket, through a proxy where one is between, and TLS in it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crony.client.answering import Incoming, Patience
from crony.client.failing import Obstacle
from crony.client.proxies import Proxy
from crony.reaching import addresses_of, reached

if TYPE_CHECKING:
    import ssl

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


def opened(
    place: Place,
    *,
    proxy: Proxy | None,
    trusted: ssl.SSLContext | None,
    until: float,
) -> socket.socket:
    """Connect ``until`` an instant; ``trusted`` is for TLS.

    Raises ``OSError`` and ``ValueError``.
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
    answer = Incoming(sock, patience)
    answer.begin()
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
    # Imported here: most addresses are this machine's own, without TLS.
    import ssl

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
