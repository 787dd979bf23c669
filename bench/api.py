"""How many requests does a node answer in a second, each change durable?

In turns with it: an echo of JSON and a hello by the same server and framework, with one
process as well, and the same clients.

    make bench ROW=api
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.echo import running_echo
from bench.measuring.load import Answers, drive, request
from bench.measuring.report import Report, Series, Target, arguments, percentile
from crony.testing.service import ServiceProcess, running_service

CLIENTS = 8
BATCH = 500


def schedule(name: str) -> dict[str, object]:
    """Return a body of about a kilobyte."""
    return {
        "name": name,
        "cron": "*/5 * * * *",
        "timezone": "Europe/Berlin",
        "task": {"command": ["/bin/echo", "x" * 700]},
        "labels": {"team": "bench"},
    }


def create(service: ServiceProcess, count: int, *, batch: str) -> Answers:
    """Create schedules one by one."""
    return drive(
        service.url,
        lambda number: request(
            "POST",
            "/schedules",
            headers=service.headers,
            body=schedule(f"{batch}-{number}"),
        ),
        clients=CLIENTS,
        count=count,
        keep=True,
    )


def create_many(service: ServiceProcess, count: int, *, batch: str) -> Answers:
    """Create schedules in batches; one answer is for ``BATCH`` of them."""
    return drive(
        service.url,
        lambda number: request(
            "POST",
            "/schedules:batch",
            headers=service.headers,
            body={
                "schedules": [
                    schedule(f"{batch}-{number}-{place}") for place in range(BATCH)
                ]
            },
        ),
        clients=2,
        count=count,
    )


def get(service: ServiceProcess, ids: list[str]) -> Answers:
    """Read schedules by their ids."""
    return drive(
        service.url,
        lambda number: request(
            "GET", f"/schedules/{ids[number]}", headers=service.headers
        ),
        clients=CLIENTS,
        count=len(ids),
    )


def echo(url: str, count: int) -> Answers:
    """Have the same bodies sent back."""
    return drive(
        url,
        lambda number: request("POST", "/", body=schedule(f"echo-{number}")),
        clients=CLIENTS,
        count=count,
    )


def hello(url: str, count: int) -> Answers:
    """Have something small answered."""
    return drive(url, lambda _: request("GET", "/"), clients=CLIENTS, count=count)


def measure(report: Report, *, repetitions: int, count: int) -> dict[str, Series]:
    """Measure all in turns."""
    rows = {
        key: report.add(title, unit)
        for key, title, unit in (
            ("echo", "limit: echo of the same JSON", "/s"),
            ("create", f"POST /schedules, {CLIENTS} clients", "/s"),
            ("p99", "its p99", "ms"),
            ("batch", f"POST /schedules:batch of {BATCH}, schedules", "/s"),
            ("hello", "limit: hello", "/s"),
            ("get", f"GET /schedules/{{id}}, {CLIENTS} clients", "/s"),
        )
    }
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        with (
            running_service(home / "home", log_level="warning") as service,
            running_echo(home) as url,
        ):
            create(service, 50, batch="warm")
            for number in range(repetitions):
                rows["echo"].samples.append(echo(url, 2 * count).per_second)
                made = create(service, count, batch=f"one-{number}")
                rows["create"].samples.append(made.per_second)
                rows["p99"].samples.append(percentile(made.took, 0.99) * 1000)
                many = create_many(service, count // 50, batch=f"many-{number}")
                rows["batch"].samples.append(many.per_second * BATCH)
                rows["hello"].samples.append(hello(url, 2 * count).per_second)
                ids = [str(json.loads(body)["id"]) for body in made.bodies]
                rows["get"].samples.append(get(service, ids).per_second)
    return rows


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=2)
    parser.add_argument("--count", type=int, default=1000, help="of single requests")
    wanted = parser.parse_args()
    report = Report("api", "Requests that a node answers in a second", command)
    rows = measure(report, repetitions=wanted.repetitions, count=wanted.count)
    middle = {key: series.median for key, series in rows.items()}
    report.targets += [
        Target(
            "POST, of the echo", middle["create"] / middle["echo"], 0.25, at_least=True
        ),
        Target("POST, p99", middle["p99"], 10, unit="ms"),
        Target("batch", middle["batch"], 10_000, at_least=True, unit="/s"),
        Target(
            "GET, of the hello", middle["get"] / middle["hello"], 0.4, at_least=True
        ),
    ]
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
