"""What a service says while its store's disk is full: a program of its own.

It wants a mount namespace of its own, and the right to mount. It prints what it saw,
as a JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from crony.client import Client
from crony.testing.service import ServiceProcess, running_service
from tests.integration.full_disk import fill
from tests.integration.stores.places import Place

#: How large the disk of each is.
SIZES = {"postgresql": "96m", "mongodb": "320m", "redis": "16m"}

#: Seconds until all is as ever, on a busy machine.
_WITHIN = 30
#: More than a server has room for in what it reserved before.
_MOST = 3_000


class Trial:
    """One service, and what it was asked and said."""

    def __init__(self, service: ServiceProcess) -> None:
        self._service = service
        self.client = Client(service.url, key=service.admin_key)
        self.asked: list[str] = []
        self.acknowledged: list[str] = []
        #: Answers that nobody should get.
        self.bad: list[str] = []

    def create(self) -> int:
        """Create a schedule; return the status."""
        name = f"s-{len(self.asked)}"
        self.asked.append(name)
        body = {"name": name, "cron": "0 0 1 1 *", "task": {"command": "#" * 30_000}}
        answer = requests.post(
            self._service.url + "/schedules",
            json=body,
            headers=self._service.headers,
            timeout=60,
        )
        if answer.status_code == 201:
            self.acknowledged.append(name)
        elif answer.status_code != 503 or "Retry-After" not in answer.headers:
            self.bad.append(answer.text)
        return answer.status_code

    def readiness(self) -> str:
        answer = requests.get(self._service.url + "/health/ready", timeout=60)
        return str(answer.json()["detail" if answer.status_code == 503 else "status"])

    def until_created(self) -> int:
        """Create schedules until one is taken; return the last status."""
        deadline = time.monotonic() + _WITHIN
        while (status := self.create()) != 201 and time.monotonic() < deadline:
            time.sleep(0.05)
        return status


def seen(place: Place, service: ServiceProcess, disk: Path) -> dict[str, Any]:
    """Fill the disk, and make room again; return what was seen."""
    trial = Trial(service)
    first = [trial.readiness(), trial.create()]
    filler = disk / "filler"
    fill(filler)
    status = 201
    while status == 201 and len(trial.asked) < _MOST:
        status = trial.create()
    full = [status, trial.readiness()]
    filler.unlink()
    died = place.start_if_it_died()
    again = [trial.until_created(), trial.readiness()]
    kept = {str(each["name"]) for each in trial.client.each_schedule()}
    told = [
        str(event["data"]["name"])
        for event in trial.client.each_event()
        if event["type"] == "schedule.created"
    ]
    return {
        "first": first,
        "full": full,
        "died": died,
        "again": again,
        "bad": trial.bad,
        "lost": sorted(set(trial.acknowledged) - kept),
        "made by nobody": sorted(kept - set(trial.asked)),
        "half": sorted(kept.symmetric_difference(told)) + doubled(told),
        "asked": len(trial.asked),
        "log": service.log.read_text(),
    }


def doubled(names: list[str]) -> list[str]:
    """Return those that are there more than once."""
    return [name for name, number in Counter(names).items() if number > 1]


def main(name: str, folder: Path) -> None:
    """Mount a small disk for a server, and have it filled."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZES[name]}", "none", disk], check=True
    )
    place = Place(name, disk / "server")
    try:
        place.start()
        with running_service(
            folder / "home", storage=place.url, log_level="info"
        ) as service:
            json.dump(seen(place, service, disk), sys.stdout)
    finally:
        place.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
