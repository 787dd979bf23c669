"""Which addresses an http task may reach.

Public ones, and what the operator named. Everything else is refused: loopback,
link-local with the metadata services of clouds, private networks. The name is
resolved once, every address it has is checked, and the connection is made to an
address that was checked, so that a name which answers differently the second time
gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import TypeAlias

from crony import errors

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

#: IPv6 ways to write an IPv4 address, which is what counts then.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Rules:
    """The operator's word on addresses: hosts and networks beside public ones."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._hosts: set[str] = set()
        self._networks: list[_Network] = []
        for word in allowed:
            try:
                self._networks.append(ipaddress.ip_network(word, strict=False))
            except ValueError:
                self._hosts.add(word.lower().rstrip("."))

    def check(self, host: str, address: str) -> None:
        """Raise ``SandboxFailed`` for an address that must not be reached."""
        if host.lower().rstrip(".") in self._hosts:
            return
        # A scope names an interface, which has no say here.
        given = _plain(ipaddress.ip_address(address.partition("%")[0]))
        if any(given in network for network in self._networks):
            return
        inner = isinstance(given, ipaddress.IPv6Address) and given.is_site_local
        if not given.is_global or given.is_multicast or given.is_reserved or inner:
            raise errors.SandboxFailed(
                f"{host} has the address {given}, which http tasks may not reach "
                "on this worker (setting http_allow)"
            )

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, each of which may be reached."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise ConnectionError(f"there is no host {host}") from exc
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            self.check(host, address)
        return addresses


def _plain(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
