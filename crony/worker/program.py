"""The worker as a program: what this host must give before anything is run."""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crony import errors, log
from crony.config import Settings
from crony.worker import places
from crony.worker.daemon import Daemon
from crony.worker.registration import (
    Credentials,
    enroll,
    level_of,
    operator_of,
    registration_key,
)
from crony.worker.sandbox import Sandbox, Watchdog, open_sandbox
from crony.worker.tasks.workshop import LEVELS

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Host:
    """A sandbox that was proven, and the watchdog that finds all it starts."""

    sandbox: Sandbox
    watchdog: Watchdog
    place: Path


def register_worker(settings: Settings, *, home: Path) -> int:
    """Register this host and run the worker; return the exit code.

    Raises ``MissingSafeguard`` when tasks can't be confined, or no longer.
    """
    key = registration_key(settings, home=home)
    with _opened(settings, settings.worker.name, home=home) as host:
        level = host.sandbox.level
        credentials = enroll(settings, key=key, sandbox_level=level, home=home)
        return _run(settings, credentials, host)


def run_worker(settings: Settings, credentials: Credentials, *, home: Path) -> int:
    """Run the registered worker until it is told to stop; return the exit code.

    Raises ``MissingSafeguard`` when tasks can't be confined, or no longer.
    """
    with _opened(settings, credentials.name, home=home) as host:
        _check_level(host.sandbox.level, credentials)
        return _run(settings, credentials, host)


@contextmanager
def _opened(settings: Settings, name: str, *, home: Path) -> Iterator[_Host]:
    """Prove the sandbox, with everything old dead and no other worker beside it."""
    place = places.make(home, name)
    own_lock = places.lock_worker(place)
    dead_lock = places.lock_sandboxes(place)
    watchdog = Watchdog(lock_fd=dead_lock)
    # From here on the watchdog alone has it, for as long as it needs.
    os.close(dead_lock)
    sandbox: Sandbox | None = None
    try:
        operator = operator_of(settings, home=home)
        sandbox = open_sandbox(level_of(settings), operator, watchdog=watchdog)
        _log.info("sandbox proven", sandbox=sandbox.level, detail=sandbox.describe())
        yield _Host(sandbox, watchdog, place)
    finally:
        # First what still runs, then the place where it does.
        watchdog.close()
        if sandbox is not None:
            sandbox.close()
        os.close(own_lock)


def _check_level(level: str, credentials: Credentials) -> None:
    if LEVELS.index(level) < LEVELS.index(credentials.sandbox_level):
        raise errors.MissingSafeguard(
            f"this worker registered with the sandbox level "
            f"{credentials.sandbox_level} and has only {level} now; restore it, or "
            "register again: crony-worker register"
        )


def _run(settings: Settings, credentials: Credentials, host: _Host) -> int:
    _tune()
    daemon = Daemon(settings, credentials, host.sandbox, host.watchdog, host.place)
    host.sandbox.keep_ready(min(settings.worker.spares, credentials.slots))
    try:
        return daemon.run()
    finally:
        host.sandbox.keep_ready(0)


def _tune() -> None:
    """Favour punctuality: short turns of the interpreter, no late collections.

    A run has about ten descriptors, and 1,000 of them are too many for the usual
    soft limit.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
