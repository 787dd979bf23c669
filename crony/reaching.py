"""Sockets to other hosts: the addresses of a name, and the first that answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

#: As the system has it: an IPv6 address comes with its scope.
_Endpoint: TypeAlias = "tuple[str, int] | tuple[str, int, int, int]"


class Address(NamedTuple):
    """One address of a host, with the port."""

    family: int
    endpoint: _Endpoint

    @property
    def host(self) -> str:
        """The address alone, as it is written."""
        return self.endpoint[0]


def addresses_of(host: str, port: int) -> list[Address]:
    """Return what a name stands for, the best first.

    Raises ``OSError``, and ``UnicodeError`` for what is no name.
    """
    # A text would import the rules of international names, for any name whatever.
    name = host.encode("ascii") if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    # Of a Python without IPv6 there would be numbers and bytes.
    made = (Address(one[0], one[4]) for one in found)  # type: ignore[arg-type]
    return list(dict.fromkeys(made))


def reached(addresses: Sequence[Address], *, until: float) -> socket.socket:
    """Connect to the first address that answers.

    Of what is left each has its share: one may be silent, and the next not. Raises
    ``OSError``.
    """
    failure = OSError("the name has no address")
    for place, (family, endpoint) in enumerate(addresses):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        try:
            return _connected(family, endpoint, within=left / (len(addresses) - place))
        except OSError as exc:
            failure = exc
    raise failure


def _connected(family: int, endpoint: _Endpoint, *, within: float) -> socket.socket:
    # Also to make one fails, for a family that the kernel does not have.
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(within)
        made.connect(endpoint)
    except OSError:
        made.close()
        raise
    return made
