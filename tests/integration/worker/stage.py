"""What tests of the worker do with the service, in words of their own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from crony import errors
from crony.client import Client
from crony.testing.service import ServiceProcess
from tests.integration.worker.witness import Witness

#: A JSON object of an answer; tests look into it freely.
Found = dict[str, Any]

OVER = (
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "missed",
    "skipped",
    "expired",
)


class Stage:
    """Schedules and runs of one test, in a queue of its own."""

    def __init__(self, service: ServiceProcess, name: str) -> None:
        digest = hashlib.sha256(name.encode())
        self.queue = "q-" + digest.hexdigest()[:12]
        first = 2_000_000 + int.from_bytes(digest.digest()[:2], "big") * 1000
        self.task_uids = f"{first}-{first + 999}"
        self.client = Client(service.url, key=service.admin_key)
        self._count = 0

    def settings(self, witness: Witness) -> dict[str, str]:
        """Return what a worker of this queue is told."""
        return {
            "slots": "4",
            "queues": self.queue,
            # Beside other workers of this host, which may kill by uid.
            "task_uids": self.task_uids,
            "rw_paths": witness.directory,
        }

    def close(self) -> None:
        """Delete what is left, so that nothing of it comes due any more."""
        # A test may have ended the service.
        with suppress(errors.ServiceUnreachable):
            for schedule in list(self.client.each_schedule(queue=self.queue)):
                self.client.delete_schedule(str(schedule["id"]), cancel_running=True)
        self.client.close()

    def schedule(self, task: Mapping[str, object], **fields: object) -> str:
        """Create a schedule, by default one that is due now; return its id."""
        self._count += 1
        trigger = {"at": "now"} if not {"every", "cron", "at"} & fields.keys() else {}
        body = {
            "name": f"{self.queue}-{self._count}",
            "queue": self.queue,
            "task": task,
            **trigger,
            **fields,
        }
        return str(self.client.create_schedule(body)["id"])

    def shell(self, line: str, **fields: object) -> str:
        """Create a schedule of a shell line."""
        return self.schedule({"command": line}, **fields)

    def runs(self, schedule: str) -> list[Found]:
        """Return its runs, oldest first; those of its hooks are left out."""
        found = [dict(run) for run in self.client.each_run(schedule)][::-1]
        return [run for run in found if run["origin"] != "hook"]

    def hooked(self, schedule: str) -> list[Found]:
        """Return the runs of its hooks, oldest first."""
        found = [dict(run) for run in self.client.each_run(schedule)][::-1]
        return [run for run in found if run["origin"] == "hook"]

    def seen(
        self, schedule: str, condition: Callable[[Found], bool], *, within: float = 30
    ) -> Found:
        """Wait for the schedule itself to be so; return it."""
        deadline = time.monotonic() + within
        found: Found = {}
        while time.monotonic() < deadline:
            found = dict(self.client.get_schedule(schedule))
            if condition(found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"it never came so far within {within} s: {found}")

    def until(
        self, schedule: str, condition: Callable[[Found], bool], *, within: float = 30
    ) -> Found:
        """Wait for the schedule's first run to be so; return it with its attempts.

        The API has no call that waits for a state, so this looks again and again.
        """
        deadline = time.monotonic() + within
        run: Found = {}
        while time.monotonic() < deadline:
            for summary in self.runs(schedule)[:1]:
                run = dict(self.client.get_run(summary["id"]))
                if condition(run):
                    return run
            time.sleep(0.02)
        raise AssertionError(f"it never came so far within {within} s: {run}")

    def finished(self, schedule: str, *, within: float = 30) -> Found:
        """Wait for the end of the schedule's first run."""
        return self.until(schedule, lambda run: run["state"] in OVER, within=within)

    def in_state(self, schedule: str, state: str, *, within: float = 30) -> Found:
        """Wait for the schedule's first run to be in a state."""
        return self.until(schedule, lambda run: run["state"] == state, within=within)

    def log(self, run: Found) -> str:
        """Return what is kept of a run's output."""
        return self.client.get_log(run["id"]).decode()

    def printed(self, schedule: str, text: str, *, within: float = 30) -> Found:
        """Wait until the run has printed something."""
        return self.until(
            schedule,
            lambda run: run["attempt"] > 0 and text in self.log(run),
            within=within,
        )
