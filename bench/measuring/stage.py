"""A real service and a real worker, and the work that rows give them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crony import wire
from crony.client import Client
from crony.model.task import Json
from crony.testing.service import ServiceProcess, running_service
from crony.testing.worker import WorkerProcess, running_worker

#: Prints the host's clock as soon as it runs; to be loaded is part of its time.
CLOCK = ("/bin/date", "+%s.%N")

#: So many schedules one request may bring.
_MOST = 1000
#: Nothing here takes longer; what does, is broken.
_PATIENCE = 600.0
_LOOK = 0.5


@dataclass(slots=True)
class Stage:
    """What runs, and a client of it."""

    service: ServiceProcess
    worker: WorkerProcess
    client: Client

    def at(
        self,
        instant: datetime,
        count: int,
        command: Sequence[str],
        *,
        batch: str,
        policy: Mapping[str, object] | None = None,
    ) -> None:
        """Have a command run so often, each once, at one instant."""
        bodies = [
            {
                "name": f"{batch}-{number}",
                "at": wire.format_instant(instant),
                "task": {"command": list(command)},
                **(policy or {}),
            }
            for number in range(count)
        ]
        for start in range(0, count, _MOST):
            answer = self.client.batch_schedules(bodies[start : start + _MOST])
            results = answer["results"]
            assert isinstance(results, list)
            refused = [each for each in results if _status(each) >= 300]
            if refused:
                raise AssertionError(f"{len(refused)} were refused: {refused[0]}")

    def ended(
        self, count: int, *, batch: str, after: datetime
    ) -> list[dict[str, Json]]:
        """Wait until so many runs of a batch have ended that were due after that."""
        until = time.monotonic() + _PATIENCE
        while True:
            stats = self.client.stats()
            left = sum(int(str(stats[key])) for key in ("pending", "leased", "running"))
            if not left:
                found = [
                    run
                    for run in self.client.each_run(limit=1000)
                    if str(run["schedule_name"]).startswith(f"{batch}-")
                    and wire.parse_instant(str(run["scheduled_for"])) >= after
                ]
                if len(found) >= count:
                    return found
            if time.monotonic() > until:
                raise AssertionError(f"{left} runs have not ended: {stats}")
            # What is asked here, the service can't do for the runs.
            time.sleep(_LOOK)


def _status(result: Json) -> int:
    assert isinstance(result, dict)
    return int(str(result["status"]))


@contextmanager
def stage(
    home: Path, *, slots: int, lease_ahead: str = "5s", **settings: str
) -> Iterator[Stage]:
    """Start both in folders of ``home``; ``settings`` are keys of ``[worker]``."""
    with (
        running_service(
            home / "service", log_level="warning", lease_ahead=lease_ahead
        ) as service,
        running_worker(
            service, home / "worker", slots=str(slots), **settings
        ) as worker,
    ):
        client = Client(service.url, key=service.admin_key)
        try:
            yield Stage(service, worker, client)
        finally:
            client.close()


def soon(seconds: float) -> datetime:
    """Return a whole second that is at least so far ahead."""
    then = datetime.now(UTC) + timedelta(seconds=seconds)
    return then.replace(microsecond=0) + timedelta(seconds=1)
