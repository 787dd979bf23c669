"""Datagrams between the processes of one host.

Each process binds a socket in a common folder and sends to all the others it
finds there. A socket that nobody listens on is a dead process's and is removed;
one that is full belongs to a process that has enough to wake up for.

NOTE: a Unix socket's path is bounded by 108 bytes, and a home may be deeper than
that. All paths go through ``/proc/self/fd``, where the folder is one number.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from crony import errors, log

_log = log.get(__name__)

_SUFFIX = ".sock"

#: A datagram holds this many items of one kind; more are sent in several.
_ITEMS = 200
_LARGEST = 1 << 17


class Neighbours:
    """This process among those that share the folder."""

    def __init__(self, directory: Path, receive: Callable[[object], None]) -> None:
        self._directory = directory
        self._receive = receive
        self._lock = threading.Lock()
        self._folder: int | None = None
        self._socket: socket.socket | None = None
        self._name = ""
        self._thread: threading.Thread | None = None

    def join(self) -> str:
        """Bind a socket of one's own and listen; return what names this folder among
        those of all hosts."""
        with self._lock:
            if self._socket is not None and self._folder is not None:
                return _place(self._folder)
            self._folder = _opened(self._directory)
            self._name = f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
            # CLOEXEC is Python's default: no task inherits a way in.
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(_path(self._folder, self._name))
            os.chmod(self._name, 0o600, dir_fd=self._folder)
            self._thread = threading.Thread(
                target=self._listen,
                args=(self._socket,),
                name="crony-wakes",
                daemon=True,
            )
            self._thread.start()
            return _place(self._folder)

    def leave(self) -> None:
        """Stop listening, and remove the socket."""
        with self._lock:
            listening, folder, thread = self._socket, self._folder, self._thread
            self._socket = self._folder = self._thread = None
        if listening is None or folder is None or thread is None:
            return
        with contextlib.suppress(OSError):
            # Wakes the listener, which a close alone does not.
            listening.shutdown(socket.SHUT_RD)
        thread.join(timeout=5)
        listening.close()
        with contextlib.suppress(OSError):
            os.unlink(self._name, dir_fd=folder)
        os.close(folder)

    def send(self, message: Mapping[str, object]) -> None:
        """Send a message to every neighbour, waiting for none."""
        with self._lock:
            folder, speaking = self._folder, self._socket
            if folder is None or speaking is None:
                return
            try:
                names = [name for name in os.listdir(folder) if name != self._name]
            except OSError as exc:
                # What is told has happened already; who is not told looks.
                _log.warning("neighbours can't be told", detail=exc.strerror)
                return
            for part in _parts(message) if names else ():
                data = json.dumps(part, separators=(",", ":")).encode()
                for name in names:
                    if name.endswith(_SUFFIX):
                        _send(speaking, data, folder=folder, name=name)

    def _listen(self, listening: socket.socket) -> None:
        while True:
            try:
                data = listening.recv(_LARGEST)
            except OSError:
                return
            if not data:
                return
            try:
                message: object = json.loads(data)
            except (ValueError, RecursionError):
                _log.warning("a neighbour's message makes no sense", size=len(data))
                continue
            self._receive(message)


def _opened(directory: Path) -> int:
    """Return the folder, which is made if need be, as a descriptor."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    if os.fstat(folder).st_mode & 0o077:
        os.close(folder)
        raise errors.MissingSafeguard(
            f"{directory} is open to others; chmod 0700 it, or remove it"
        )
    return folder


def _place(folder: int) -> str:
    """Return a name of the folder; two hosts that share it are two places."""
    found = os.fstat(folder)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    said = f"{boot} {found.st_dev} {found.st_ino}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _path(folder: int, name: str) -> str:
    return f"/proc/self/fd/{folder}/{name}"


def _send(speaking: socket.socket, data: bytes, *, folder: int, name: str) -> None:
    try:
        speaking.sendto(data, socket.MSG_DONTWAIT, _path(folder, name))
    except ConnectionRefusedError:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
    except OSError:
        # Full, or gone this moment: it looks at the store by itself.
        return


def _parts(message: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Cut long lists, so that each part fits into a datagram."""
    longest = max((len(v) for v in message.values() if isinstance(v, list)), default=1)
    for start in range(0, longest, _ITEMS):
        part = {
            name: value[start : start + _ITEMS] if isinstance(value, list) else value
            for name, value in message.items()
        }
        yield part
