"""A real service for tests: a process of its own, on a free port, in a home of its own.

::

    with running_service(tmp_path / "home", lease_ttl="5s") as service:
        requests.get(service.url + "/schedules", headers=service.headers)
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import requests

from crony.config import ADMIN_KEY
from crony.storage import open_store

#: The program, without an installed script: as ``crony-api``.
_PROGRAM = (sys.executable, "-m", "crony.cli.api")

#: Not the generator that tests seed alike in several processes.
_CHANCE = random.SystemRandom()


@dataclass(slots=True)
class ServiceProcess:
    """A service that answers; ``process`` is its supervising process.

    ``admin_key`` is empty where the store's is in another home.
    """

    url: str
    home: Path
    admin_key: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def headers(self) -> dict[str, str]:
        """What an admin sends."""
        return {"Authorization": f"Bearer {self.admin_key}"}

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def stop(self, *, within: float = 20) -> int:
        """End it as a service manager does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=within)

    def kill(self) -> None:
        """Kill all its processes at once, as a power loss would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)


def free_port() -> int:
    """Return a port that nobody listens at.

    It is none of those that the kernel gives to outgoing connections: a service that
    is killed and started again must find its own free, whoever connects meanwhile.
    """
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    while True:
        port = _CHANCE.randrange(10_000, max(int(first), 20_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running_service(
    home: Path,
    *,
    storage: str | None = None,
    port: int | None = None,
    verify: Path | None = None,
    **settings: str,
) -> Iterator[ServiceProcess]:
    """Start a service and wait until it is ready; end it with the block.

    ``settings`` are keys of ``[api]``, as text. The same ``home`` again goes on with
    what is stored there.
    """
    service = start_service(home, storage=storage, port=port, verify=verify, **settings)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.process.terminate()
            try:
                service.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                service.kill()
                raise


def start_service(
    home: Path,
    *,
    storage: str | None = None,
    port: int | None = None,
    verify: Path | None = None,
    **settings: str,
) -> ServiceProcess:
    """Start a service that its caller ends; ``verify`` is its certificate."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    address = f"127.0.0.1:{port or free_port()}"
    url = f"{'https' if verify else 'http'}://{address}"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CRONY_")}
    environ |= {f"CRONY_API_{key.upper()}": value for key, value in settings.items()}
    environ |= {"CRONY_HOME": str(home), "CRONY_API_BIND": address}
    if storage is not None:
        environ["CRONY_STORAGE"] = storage
    elif not (file := home / "crony.db").exists():
        file.touch(mode=0o600)
        file.write_bytes(_new_store())
    log = home / "service.log"
    with log.open("ab") as stream:
        # A session of its own, so that ``kill`` reaches all of it and nothing else.
        process = subprocess.Popen(
            _PROGRAM,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    _await_ready(url, process, log, verify=str(verify) if verify else True)
    file = home / ADMIN_KEY
    key = file.read_text().strip() if file.exists() else ""
    return ServiceProcess(url, home, key, process, log)


@cache
def _new_store() -> bytes:
    """Return what is in the file of a new store.

    PERF: a service that makes it takes as long for that as for all else of its start.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crony.db"
        open_store(f"sqlite:///{path}").migrate()
        return path.read_bytes()


def _await_ready(
    url: str, process: subprocess.Popen[bytes], log: Path, *, verify: str | bool
) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended: {log.read_text()[-4000:]}")
        if _is_ready(url, verify=verify):
            return
        # Nobody tells when a port begins to answer.
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"the service does not answer: {log.read_text()[-4000:]}")


def _is_ready(url: str, *, verify: str | bool) -> bool:
    # PERF: what makes a request and is refused takes from the start that it waits for.
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))):
            return False
    try:
        return requests.get(url + "/health/ready", timeout=5, verify=verify).ok
    except requests.ConnectionError:
        return False
