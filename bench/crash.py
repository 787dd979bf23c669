"""How soon does work go on after a worker, or the service, was killed?

A worker is killed while it holds a run: the time is that until the run's next attempt
has started on another. The service is killed and started again at once: the time is
that from its start until the first run that came due after it has begun.

    make bench ROW=crash
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Target, arguments
from bench.measuring.stage import CLOCK
from crony import wire
from crony.client import Client
from crony.model.task import Json
from crony.testing.service import ServiceProcess, running_service, start_service
from crony.testing.worker import running_worker, start_worker

#: The shortest lease that a service may be told to give.
TTL = 5.0
_PATIENCE = 60.0


def kill_worker(home: Path) -> float:
    """Kill a worker that holds a run; return seconds until it started elsewhere."""
    with running_service(home / "service", lease_ttl="5s", poll_wait="2s") as service:
        client = Client(service.url, key=service.admin_key)
        body = {
            "name": "long",
            "cron": "0 0 29 2 *",
            "task": {"command": ["/bin/sleep", "60"]},
        }
        client.create_schedule(body)
        first = start_worker(service, home / "a", name="host-a", slots="1")
        run = str(client.run_schedule("long")["id"])
        _wait_for(client, run, attempt=1)
        with running_worker(service, home / "b", name="host-b", slots="1"):
            killed = datetime.now(UTC)
            first.kill()
            found = _wait_for(client, run, attempt=2)
            client.cancel_run(run)
            client.close()
    began = wire.parse_instant(str(found["started_at"]))
    return (began - killed).total_seconds()


def _wait_for(client: Client, run: str, *, attempt: int) -> dict[str, Json]:
    """Wait until an attempt of a run is under way; return the run."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        found = client.get_run(run)
        if found["state"] == "running" and found["attempt"] == attempt:
            return found
        time.sleep(0.02)
    raise AssertionError(f"attempt {attempt} has not started: {found}")


def kill_service(home: Path) -> float:
    """Kill a service; return seconds from its start until a due run has begun."""
    service = start_service(home / "service")
    try:
        with running_worker(service, home / "worker", slots="4"):
            client = Client(service.url, key=service.admin_key)
            body = {
                "name": "each-second",
                "cron": "* * * * * *",
                "task": {"command": list(CLOCK)},
            }
            client.create_schedule(body)
            _first(client, after=datetime.now(UTC))
            service.kill()
            # So long that nothing is left of what was handed out ahead.
            time.sleep(6)
            again = datetime.now(UTC)
            service = _restarted(service)
            began = _first(client, after=again)
            client.close()
    finally:
        service.kill()
    return (began - again).total_seconds()


def _restarted(service: ServiceProcess) -> ServiceProcess:
    return start_service(service.home, port=service.port)


def _first(client: Client, *, after: datetime) -> datetime:
    """Wait for a run that is due after that; return when the first began."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        began = [
            wire.parse_instant(str(run["started_at"]))
            for run in client.each_run("each-second", state="succeeded")
            if wire.parse_instant(str(run["scheduled_for"])) >= after
        ]
        if began:
            return min(began)
        time.sleep(0.1)
    raise AssertionError("no run has begun")


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    wanted = parser.parse_args()
    report = Report("crash", "How soon work goes on after a kill", command)
    elsewhere = report.add(f"a worker killed, lease time {TTL:g} s", "s")
    service = report.add("the service killed and started again", "s")
    for _ in range(wanted.repetitions):
        with tempfile.TemporaryDirectory() as place:
            elsewhere.samples.append(kill_worker(Path(place) / "worker"))
            service.samples.append(kill_service(Path(place) / "service"))
    report.targets += [
        Target("its runs start elsewhere", elsewhere.median, TTL + 1, unit="s"),
        Target("the first due run starts", service.median, 2, unit="s"),
    ]
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
