"""A connection to the service by hand, below HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from crony.testing.service import ServiceProcess


@contextmanager
def connected(service: ServiceProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as end:
        yield end


def everything(end: socket.socket) -> bytes:
    """Return what is received until the service closes."""
    received = b""
    while piece := end.recv(65536):
        received += piece
    return received
