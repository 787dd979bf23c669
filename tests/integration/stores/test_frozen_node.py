"""A node that stands still holds up no other for long."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from crony import errors
from crony.client import Client
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.service import running_service
from tests.folders import Folders
from tests.integration.stores import holder
from tests.integration.stores.house import House
from tests.integration.stores.load import WRITES
from tests.integration.stores.trial import trial

_log = logging.getLogger(__name__)

#: Seconds for which another may wait, on a busy machine.
_HELD_UP = 12.0
_PATIENCE = 40
_FREEZES = 3


def _took(call: Callable[[], object]) -> float:
    """Return how long it takes until somebody who asks again and again is served."""
    began = time.monotonic()
    while True:
        try:
            call()
        except errors.Refused as exc:
            if exc.status != 503 or time.monotonic() - began > _PATIENCE:
                raise
        else:
            return time.monotonic() - began


def test_a_node_that_stands_still_at_any_moment_holds_up_no_other(
    at_home: House, tmp_path: Path
) -> None:
    frozen, chance = at_home.service, random.Random(6)
    with running_service(
        tmp_path / "other", storage=at_home.place.url, log_level="warning"
    ) as other:
        client = Client(other.url, key=at_home.service.admin_key)
        manual = at_home.stage.shell("true", cron="0 0 1 1 *", max_concurrent=100)
        with trial(at_home) as it:
            for _ in range(_FREEZES):
                since = time.monotonic()
                it.load.wait_for(WRITES, ok=True, since=since, within=_PATIENCE)
                threading.Event().wait(chance.uniform(0, 0.1))
                os.killpg(frozen.process.pid, signal.SIGSTOP)
                try:
                    took = _took(lambda: client.run_schedule(manual))
                    took += _took(lambda: client.get_schedule(manual))
                finally:
                    os.killpg(frozen.process.pid, signal.SIGCONT)
                _log.info(f"{at_home.place.name}: {took:.2f} s")
                assert took < _HELD_UP
            again = time.monotonic()
            it.load.wait_for(WRITES, ok=True, since=again, within=_PATIENCE)
        it.verify(slowest=_PATIENCE)


def test_who_stands_still_with_a_tenant_s_lock_loses_it(
    tmp_path: Path, in_memory: Folders
) -> None:
    with (
        PostgreSQL(in_memory("server")) as server,
        running_service(tmp_path / "home", storage=server.url) as service,
    ):
        client = Client(service.url, key=service.admin_key)
        body = {"cron": "0 0 1 1 *", "task": {"command": "true"}}
        with subprocess.Popen(
            [sys.executable, "-m", holder.__name__, server.url, "default"],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            try:
                _, status = os.waitpid(process.pid, os.WUNTRACED)
                assert os.WIFSTOPPED(status)
                took = _took(lambda: client.create_schedule(body))
                _log.info(f"{took:.2f} s")
                # The server has taken it away, and not before its time.
                assert 1 < took < _HELD_UP
            finally:
                process.send_signal(signal.SIGCONT)
            said = process.stderr.read()
    assert "had stopped in a transaction" in said
    assert process.returncode == 1
