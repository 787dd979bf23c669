"""A group's pause reaches all of its schedules, whatever is killed on the way."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

import requests

from crony.testing.service import running_service
from tests.integration.api.caller import ECHO, Caller

#: So many that the pause takes a while to reach them all.
MANY = 200


def paused(caller: Caller) -> int:
    """Return how many schedules of the group are paused now."""
    return len(caller.got("/schedules/g/tasks?state=paused&limit=1000")["items"])


def test_a_pause_goes_on_after_its_service_was_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_service(home) as process:
        caller = Caller(process.url, process.admin_key)
        caller("PUT", "/groups/g", {})
        items = [{"cron": "0 0 1 1 *", "task": ECHO, "group": "g"} for _ in range(MANY)]
        caller.made("/schedules:batch", {"schedules": items})

        def pause() -> None:
            # Its answer never comes.
            with suppress(requests.RequestException):
                caller("POST", "/groups/g/pause")

        pausing = Thread(target=pause)
        pausing.start()
        while paused(caller) == 0:
            pass
        process.kill()
        pausing.join()
    with running_service(home) as process:
        caller = Caller(process.url, process.admin_key)
        assert caller.got("/groups/g")["paused"]
        assert 0 < paused(caller) < MANY
        deadline = time.monotonic() + 60
        while paused(caller) < MANY:
            assert time.monotonic() < deadline
