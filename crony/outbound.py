"""Requests to addresses that somebody else chose: where they may go.

To public addresses, and to what the operator named. Everything else is refused:
loopback, link-local with the metadata services of clouds, private networks. The name
is resolved once, every address it has is checked, and the connection is made to an
address that was checked, so that a name which answers differently the second time
gains nothing. Proxies of the environment are not asked: they would resolve it again.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import TypeAlias
from urllib.parse import SplitResult

from crony import errors
from crony.reaching import Address, addresses_of, reached

_Number: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Gets every socket, so that somebody else can shut it down.
Connected: TypeAlias = Callable[[socket.socket], None]

#: IPv6 ways to write an IPv4 address, which is what counts then.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Rules:
    """The operator's word on addresses: hosts and networks beside public ones.

    ``whose`` requests they are, and the ``setting`` they come from, stand in refusals.
    """

    def __init__(self, allowed: Iterable[str], *, whose: str, setting: str) -> None:
        self._whose = whose
        self._setting = setting
        self._hosts: set[str] = set()
        self._networks: list[_Network] = []
        for word in allowed:
            try:
                self._networks.append(ipaddress.ip_network(word, strict=False))
            except ValueError:
                self._hosts.add(word.lower().rstrip("."))

    def check(self, host: str, address: str) -> None:
        """Raise ``AddressRefused`` for an address that must not be reached."""
        if host.lower().rstrip(".") in self._hosts:
            return
        # A scope names an interface, which has no say here.
        given = _plain(ipaddress.ip_address(address.partition("%")[0]))
        if any(given in network for network in self._networks):
            return
        inner = isinstance(given, ipaddress.IPv6Address) and given.is_site_local
        if not given.is_global or given.is_multicast or given.is_reserved or inner:
            raise errors.AddressRefused(
                f"{host} has the address {given}, which {self._whose} may not reach "
                f"(setting {self._setting})"
            )

    def check_literal(self, host: str) -> None:
        """Raise ``AddressRefused`` where the host is written as such an address.

        What a name stands for shows only when it is resolved.
        """
        try:
            # Also the spellings that only a resolver takes for one, such as 127.1.
            self.check(host, socket.inet_ntoa(socket.inet_aton(host)))
            return
        except OSError:
            pass
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return
        self.check(host, host)

    def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host, each of which may be reached."""
        try:
            addresses = addresses_of(host, port)
        except (OSError, UnicodeError) as exc:
            raise ConnectionError(f"there is no host {host}") from exc
        for address in addresses:
            self.check(host, address.host)
        return addresses


def connect(
    parts: SplitResult, rules: Rules, connected: Connected, *, seconds: float
) -> http.client.HTTPConnection:
    """Connect to an address that was checked, under the name that was asked for.

    ``seconds`` bounds each wait for the other end, and all tries to connect together.
    Raises ``AddressRefused``, ``ConnectionError``.
    """
    secure = parts.scheme == "https"
    host = parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    addresses = rules.resolve(host, port)
    try:
        opened = reached(addresses, until=time.monotonic() + seconds)
    except OSError as exc:
        raise ConnectionError(f"no connection to {parts.netloc}") from exc
    opened.settimeout(seconds)
    _hand_over(opened, connected)
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    if secure:
        # Only the default port may be left out of the Host header.
        connection.default_port = 443
        opened = _wrapped(opened, host, connected)
    connection.sock = opened
    return connection


def _hand_over(opened: socket.socket, connected: Connected) -> None:
    try:
        connected(opened)
    except BaseException:
        opened.close()
        raise


def _wrapped(opened: socket.socket, host: str, connected: Connected) -> ssl.SSLSocket:
    try:
        secured = ssl.create_default_context().wrap_socket(
            opened, server_hostname=host, do_handshake_on_connect=False
        )
    except (OSError, ValueError) as exc:
        opened.close()
        raise ConnectionError(f"no TLS connection with {host}") from exc
    # Before the handshake, which may take as long as the other end likes.
    _hand_over(secured, connected)
    try:
        secured.do_handshake()
    except (OSError, ValueError) as exc:
        secured.close()
        raise ConnectionError(
            f"no TLS connection with {host}: its certificate may not be trusted"
        ) from exc
    return secured


def _plain(address: _Number) -> _Number:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
