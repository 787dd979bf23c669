"""A service whose store is not as it should be says in one line why it ends."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from redis import Redis as Client

from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.servers.redis import Redis
from crony.testing.service import ServiceProcess, free_port, running_service
from tests.folders import Folders
from tests.integration.stores.black_hole import black_hole
from tests.integration.stores.places import Place

_log = logging.getLogger(__name__)

_SECRET = "hunter2"

#: Seconds, on a busy machine.
_WITHIN = 30

#: Each kind of server, and the path of a URL.
_KINDS = {"postgresql": "/crony", "mongodb": "/crony", "redis": "/0"}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(f"start-{name}"))
        for name in _KINDS
    ],
)
def place(request: pytest.FixtureRequest, in_memory: Folders) -> Iterator[Place]:
    """A server of each kind."""
    made = Place(request.param, in_memory(request.param))
    try:
        made.start()
        yield made
    finally:
        made.close()


def refused(home: Path, url: str, *, code: int) -> str:
    """Start the service; return its only line, once it ended with that code."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CRONY_")}
    environ |= {"CRONY_HOME": str(home / "home"), "CRONY_STORAGE": url}
    environ |= {"CRONY_API_BIND": f"127.0.0.1:{free_port()}"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "crony.cli.api"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=2 * _WITHIN,
        check=False,
    )
    took = time.monotonic() - began
    _log.info(f"{took:.1f} s, exit {done.returncode}: {done.stderr}")
    assert _SECRET not in done.stderr + done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("crony-api: ")
    assert done.returncode == code
    assert took < _WITHIN
    return line


def test_a_store_that_is_not_there_is_named_without_its_password(
    place: Place, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}{_KINDS[place.name]}"
    url = f"{place.name}://ann:{_SECRET}@{address}"
    line = refused(tmp_path, url, code=5)
    assert line.endswith(
        f"storage.url (--storage, CRONY_STORAGE) is {place.name}://ann@{address}"
    )


def test_a_store_that_takes_connections_and_says_nothing_is_given_up(
    place: Place, tmp_path: Path
) -> None:
    with black_hole() as port:
        address = f"127.0.0.1:{port}{_KINDS[place.name]}"
        line = refused(tmp_path, f"{place.name}://{address}", code=5)
    assert address in line


def test_a_wrong_password_is_said_to_be_wrong(place: Place, tmp_path: Path) -> None:
    parts = urlsplit(place.url)
    address = parts.netloc.rpartition("@")[2] + parts.path
    url = f"{parts.scheme}://crony:{_SECRET}@{address}"
    assert "password" in refused(tmp_path, url, code=1)


def test_a_process_that_starts_while_the_store_is_away_waits_for_it(
    place: Place, tmp_path: Path
) -> None:
    with running_service(
        tmp_path / "home", storage=place.url, processes="2", log_level="warning"
    ) as service:
        first = _children(service)
        place.kill()
        os.kill(first[0], signal.SIGKILL)
        _until(lambda: "the start waits for the store" in service.log.read_text())
        place.revive()
        _until(lambda: requests.get(service.url + "/health/ready", timeout=30).ok)
        _until(lambda: len(set(_children(service)) - {first[0]}) == 2)
        assert service.stop() == 0


def _children(service: ServiceProcess) -> list[int]:
    """Return the processes that answer."""
    pid = service.process.pid
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WITHIN
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_database_that_is_not_there_or_another_s_is_refused(
    tmp_path: Path,
    in_memory: Folders,
) -> None:
    with PostgreSQL(in_memory("server")) as server:
        url = server.url_of("other")
        assert "database is not there" in refused(tmp_path, url, code=1)

        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE shopping (list text)")
        assert "another's tables" in refused(tmp_path, server.url, code=1)


def test_a_redis_that_has_no_such_database_or_keeps_nothing_is_refused(
    tmp_path: Path,
) -> None:
    with Redis(tmp_path / "redis") as server:
        url = server.url.removesuffix("/0") + "/99"
        assert "no database of that number" in refused(tmp_path, url, code=1)

        with Client.from_url(server.url) as client:
            client.config_set("appendonly", "no")
        assert "appendonly yes" in refused(tmp_path, server.url, code=6)
