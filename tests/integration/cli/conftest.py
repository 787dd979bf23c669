"""A real service, a real worker, and the client as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crony.client import Client
from crony.testing.service import ServiceProcess, running_service
from tests.folders import Folders


@dataclass(frozen=True)
class Done:
    """A program that has ended."""

    code: int
    out: str
    err: str

    def ok(self) -> str:
        """Return what it printed, if all was well."""
        assert self.code == 0, self.err
        return self.out


@dataclass(frozen=True)
class Shell:
    """Runs `crony` as a user of the service's machine does."""

    service: ServiceProcess

    @property
    def environ(self) -> dict[str, str]:
        """All that the programs get to know of where they are."""
        return {
            "PATH": os.environ["PATH"],
            "CRONY_HOME": str(self.service.home),
            "CRONY_API_URL": self.service.url,
            "TZ": "Europe/Berlin",
        }

    def __call__(self, *argv: str, stdin: str = "", **environ: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "crony.cli.main", *argv],
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def service(in_memory: Folders) -> Iterator[ServiceProcess]:
    home = in_memory("cli") / "home"
    with running_service(home) as running:
        yield running


@pytest.fixture(scope="module")
def crony(service: ServiceProcess) -> Shell:
    return Shell(service)


@pytest.fixture(scope="module")
def client(service: ServiceProcess) -> Client:
    return Client(service.url, key=service.admin_key)


@pytest.fixture(scope="module")
def worker(crony: Shell) -> Iterator[Path]:
    """A worker of the module's service; yields its log."""
    log = crony.service.home / "worker.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "crony.cli.worker", "register"],
            env=crony.environ,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    yield log
    process.terminate()
    assert process.wait(30) == 0, log.read_text()
