"""The ``/etc`` of sandboxed tasks: a folder of copies, made once.

Of the host's only what programs can't do without, and nothing that names secrets.
PERF: one folder is one mount; a mount for each file made every start a third
dearer.
"""

import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from crony.worker.sandbox import profile
from crony.worker.sandbox.values import Network

_COPIED = (
    "ld.so.cache",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "localtime",
    "protocols",
    "services",
)
#: Names of hosts are of use only where there is a network.
_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf")

#: Alternatives of manual pages, which are most of them.
_UNUSED = shutil.ignore_patterns("*.gz")

#: What package managers and networks change while a worker runs.
_CHANGING = ("ld.so.cache", "alternatives", "ssl/certs", "resolv.conf", "hosts")


class Etc:
    """The folders, one for each kind of network; made anew when the host's change."""

    def __init__(self, folder: Path, *, networks: Sequence[Network]) -> None:
        """Make the first ones in an empty folder."""
        self._folder = folder
        self._networks = networks
        self._seen: tuple[int, ...] = ()
        self._version = 0
        self._lock = threading.Lock()
        self.refresh()

    def path(self, *, network: str) -> Path:
        """Give the folder to show; earlier ones stay for the runs that have them."""
        return self._folder / str(self._version) / network

    def refresh(self) -> None:
        """Make new folders if something has changed since."""
        seen = tuple(_changed_at(f"/etc/{name}") for name in _CHANGING)
        with self._lock:
            if seen != self._seen:
                self._make(seen)

    def _make(self, seen: tuple[int, ...]) -> None:
        version = self._version + 1
        place = self._folder / str(version)
        for network in self._networks:
            named = _NETWORK if network == "host" else ()
            _fill(place / network, _COPIED + named)
        place.chmod(0o755)
        self._seen, self._version = seen, version
        # A run that is being started may still name the one before.
        shutil.rmtree(self._folder / str(version - 2), ignore_errors=True)

    def close(self) -> None:
        """Remove the folders."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _changed_at(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _fill(folder: Path, names: tuple[str, ...]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        source, target = Path("/etc") / name, folder / name
        # What this user may not read, the task may not read either.
        with suppress(FileNotFoundError, PermissionError, shutil.Error):
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, ignore=_UNUSED)
            else:
                shutil.copyfile(source, target)
    (folder / "passwd").write_bytes(profile.PASSWD)
    (folder / "group").write_bytes(profile.GROUP)
    for root, folders, files in os.walk(folder):
        for one in folders:
            _open(Path(root) / one, 0o755)
        for one in files:
            _open(Path(root) / one, 0o644)
    folder.chmod(0o755)


def _open(path: Path, mode: int) -> None:
    if not path.is_symlink():
        path.chmod(mode)
