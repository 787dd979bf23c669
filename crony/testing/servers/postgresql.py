"""A PostgreSQL server of one's own."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from crony.testing.servers.process import Server, program

#: How ``initdb`` is to make a cluster; on stable storage is what is committed later.
_CLUSTER = (
    *("--username=crony", "--auth=scram-sha-256", "--no-sync"),
    *("--encoding=UTF8", "--locale=C.UTF-8"),
)
#: What a client of the protocol may ask before anything else: are you there?
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)

#: So long may a process take that was killed.
_GONE_WITHIN = 30.0


class PostgreSQL(Server):
    """A cluster with the database ``crony``, whose owner is let in with a password.

    Everything is as a new installation has it, every commit durable; what ``settings``
    say comes on top.
    """

    name = "PostgreSQL"
    user = "crony"
    password = "not a secret"  # it guards a directory of a test
    database = "crony"

    def __init__(self, directory: Path, **settings: str | int) -> None:
        super().__init__(directory)
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": self.port,
            **settings,
        }

    @property
    def url(self) -> str:
        return self.url_of(self.database)

    def url_of(self, database: str) -> str:
        """Return the URL of another database of the cluster."""
        who = f"{self.user}:{self.password.replace(' ', '%20')}"
        return f"postgresql://{who}@127.0.0.1:{self.port}/{database}"

    @property
    def data(self) -> Path:
        """The cluster's files."""
        return self.directory / "data"

    def launch(self) -> None:
        self._let_others_by()
        super().launch()

    def _let_others_by(self) -> None:
        """Let the server's user come to its directory; what is in it stays closed."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for above in (self.directory, *self.directory.parents):
            found = above.stat()
            if os.geteuid() != 0 or found.st_mode & stat.S_ISVTX:
                break
            above.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
        if not self.data.exists():
            self._make_cluster()

    def _make_cluster(self) -> None:
        self.data.mkdir(mode=0o700)
        given = self.directory / "password"
        given.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self.data, given):
                shutil.chown(path, _other())
        self._run("initdb", "-D", str(self.data), f"--pwfile={given}", *_CLUSTER)
        given.unlink()
        # While nobody may connect yet: in single-user mode.
        make = f'CREATE DATABASE "{self.database}"\n'
        self._run("postgres", "--single", "-D", str(self.data), "postgres", say=make)

    def _run(self, name: str, *words: str, say: str = "") -> None:
        command = [*_as_other(), _program(name), *words]
        done = subprocess.run(command, input=say, text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")

    def command(self) -> Sequence[str]:
        settings = [
            word
            for name, value in self._settings.items()
            for word in ("-c", f"{name}={value}")
        ]
        return [*_as_other(), _program("postgres"), "-D", str(self.data), *settings]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server, and what has no handler to each of its own."""
        if self.process is None or self.process.poll() is not None:
            return
        if number is signal.SIGKILL:
            self._kill_all(self.process.pid)
            return
        others: list[int] = []
        if number in (signal.SIGSTOP, signal.SIGCONT):
            others = _children(self.process.pid)
        super().send(number)
        for other in others:
            with suppress(ProcessLookupError):
                os.kill(other, number)

    def _kill_all(self, pid: int) -> None:
        """Kill it and its own; return when none of those is left.

        It would not start again beside one that still has the memory they shared.
        """
        # So that it makes no more of them, once it stands still.
        super().send(signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        with ExitStack() as stack:
            ends: list[int] = []
            for child in _children(pid):
                with suppress(ProcessLookupError):
                    ends.append(os.pidfd_open(child))
                    stack.callback(os.close, ends[-1])
            super().send(signal.SIGKILL)
            for end in ends:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(end, signal.SIGKILL)
                if not select.select([end], [], [], _GONE_WITHIN)[0]:
                    raise RuntimeError(f"a process of {self.name} can't be killed")

    def stop(self) -> None:
        # SIGTERM would wait until the last client has gone by itself.
        self._end(signal.SIGINT)

    def end(self) -> None:
        # Killed, it would leave memory that it shares in the system for ever.
        self._end(signal.SIGQUIT)

    def answers(self) -> bool:
        """Return whether it asks who is there, rather than that it is starting up."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(_SSL_REQUEST)
                if not connection.recv(1):
                    return False
                given = f"user\0{self.user}\0database\0{self.database}\0\0".encode()
                head = struct.pack("!ii", 8 + len(given), 3 << 16)
                connection.sendall(head + given)
                return connection.recv(1) == b"R"
        except OSError:
            return False


def _children(pid: int) -> list[int]:
    """Return a server's own: one for each connection, and those that help it."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _other() -> str:
    """Return who runs it when we are root, for it refuses to be root."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("there is nobody but root to run PostgreSQL")


def _as_other() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    found = pwd.getpwnam(_other())
    return (
        program("setpriv", package="util-linux"),
        *(f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups"),
        # To become another takes it away from a process.
        *("--pdeathsig", "KILL", "--"),
    )


def _program(name: str) -> str:
    """Return the path of a program of the newest release that is here."""
    there = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    newest = sorted(there, key=lambda path: int(path.parent.name), reverse=True)
    return program(name, beside=newest, package="postgresql")
