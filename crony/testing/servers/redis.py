"""A private Redis, as durable as Crony asks for."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from crony.testing.servers.process import Server, program

#: So long may it take to say that it is there.
_ANSWER_WITHIN = 1.0


class Redis(Server):
    """One Redis that has every write on its disk before it answers."""

    name = "redis-server"
    #: What ``--appendfsync`` is given: tests of what a store can't promise say less.
    fsync = "always"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "save": "",
            "daemonize": "no",
            "logfile": "",
        }
        given = [f for name, value in settings.items() for f in (f"--{name}", value)]
        return (program("redis-server", package="redis-server"), *given)

    def answers(self) -> bool:
        # While it reads its file it takes connections, and answers with an error.
        try:
            with socket.create_connection(
                ("127.0.0.1", self.port), timeout=_ANSWER_WITHIN
            ) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
