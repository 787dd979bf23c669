"""What do idle schedules cost a service: memory, processor, lateness, the start?

One service for each number of schedules that are due in months, on SQLite, and one
schedule that is due each second, run by a real worker. What single verbs of a store
cost beside a million of them is in bench/stores.py.

    make bench ROW=idle
    python bench/idle.py --count 0 --count 100000 --count 1000000
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.load import drive, request
from bench.measuring.processes import memory, processor
from bench.measuring.report import Report, Series, Target, arguments, percentile
from bench.measuring.stage import CLOCK
from crony import wire
from crony.client import Client
from crony.model import ids
from crony.model.trigger import Cron
from crony.scheduler.occurrences import calendar_of
from crony.storage import open_store
from crony.storage.contract import Creation
from crony.testing import factories
from crony.testing.service import ServiceProcess, running_service
from crony.testing.worker import running_worker
from crony.triggers import rules_of

_BATCH = 1000
#: What the service says once it has looked at all schedules.
_WALKED = "schedules follow the present time zones"


@dataclass(frozen=True, slots=True)
class Found:
    """What a service with so many idle schedules needs."""

    ready: float
    #: Its walk over all schedules, once for each release of the time zone rules.
    walk: float
    memory: int
    share: float
    late: list[float]
    #: By kind of request, in seconds.
    requests: dict[str, float]


def fill(path: Path, count: int) -> None:
    """Store idle schedules, as a service would have."""
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    store.open()
    now = datetime.now(UTC)
    made = factories.make_schedule(
        trigger=_far_from(now), created_at=now, updated_at=now
    )
    kept = replace(
        made,
        cursor=calendar_of(made).first(now),
        rules=rules_of(made.definition.trigger),
    )
    for start in range(0, count, _BATCH):
        batch = [
            Creation(replace(kept, id=factories.make_id(ids.SCHEDULE)), limit=1)
            for _ in range(min(_BATCH, count - start))
        ]
        store.schedules.create_all(batch, quota=None)
    store.close()


def _far_from(now: datetime) -> Cron:
    """Return a day of each year, about half a year from now."""
    month = (now.month + 5) % 12 + 1
    return Cron(f"0 3 1 {month} *", "Europe/Berlin")


def measure(home: Path, *, count: int, seconds: int) -> Found:
    """Start a service beside them, and watch it."""
    service_home = home / "service"
    service_home.mkdir(parents=True, mode=0o700)
    fill(service_home / "crony.db", count)
    walk = settle(service_home)
    began = time.perf_counter()
    with running_service(service_home, log_level="warning") as service:
        ready = time.perf_counter() - began
        with closing(Client(service.url, key=service.admin_key)) as client:
            # As many as there are is all that a tenant may have at first.
            client.put_tenant("default", {"quotas": {"schedules": count + _BATCH}})
        # What a service does once, after its start.
        time.sleep(5)
        pid = service.process.pid
        computed, began = processor(pid), time.perf_counter()
        time.sleep(seconds)
        share = (processor(pid) - computed) / (time.perf_counter() - began)
        requests = _requests(service)
        late = _lateness(service, home / "worker", seconds=seconds)
        return Found(ready, walk, memory(pid), share, late, requests)


def settle(home: Path) -> float:
    """Start a service that does what is due once for each release of the time zone
    rules: it looks at all schedules. Return how long that took it."""
    with running_service(home, log_level="info") as service:
        began = time.perf_counter()
        with service.log.open() as lines:
            while not any(_WALKED in line for line in lines):
                if service.process.poll() is not None:
                    raise AssertionError("the service ended before its walk did")
                # Nobody tells when a file grows.
                time.sleep(0.02)
        return time.perf_counter() - began


def _requests(service: ServiceProcess) -> dict[str, float]:
    """Return the medians of some requests, by one client."""
    body = {"cron": "0 3 1 * *", "task": {"command": "true"}}
    created = drive(
        service.url,
        lambda _: request("POST", "/schedules", headers=service.headers, body=body),
        clients=1,
        count=50,
        keep=True,
    )
    path = f"/schedules/{wire_id(created.bodies[-1])}"
    kinds = {"create": created.took}
    for kind, where in (("get", path), ("list", "/schedules?limit=50")):
        sent = request("GET", where, headers=service.headers)
        answers = drive(service.url, lambda _, sent=sent: sent, clients=1, count=50)
        kinds[kind] = answers.took
    return {kind: percentile(took, 0.5) for kind, took in kinds.items()}


def wire_id(body: bytes) -> str:
    """Return the id in an answer."""
    return str(json.loads(body)["id"])


def _lateness(service: ServiceProcess, home: Path, *, seconds: int) -> list[float]:
    """Run a schedule each second; return how late each run began."""
    client = Client(service.url, key=service.admin_key)
    with running_worker(service, home, slots="4"):
        task = {"command": list(CLOCK)}
        body = {"name": "each-second", "cron": "* * * * * *", "task": task}
        client.create_schedule(body)
        time.sleep(seconds + 3)
        client.pause_schedule("each-second")
        time.sleep(1)
        runs = list(client.each_run("each-second", state="succeeded", limit=1000))
        late = [
            float(client.get_log(str(run["id"])).split()[0])
            - wire.parse_instant(str(run["scheduled_for"])).timestamp()
            for run in runs
        ]
    client.close()
    # The oldest was not known in advance.
    return late[:-1]


def judge(
    report: Report, rows: dict[tuple[int, str], Series], counts: list[int]
) -> None:
    """Compare each number with none."""

    def middle(count: int, kind: str) -> float:
        return rows[count, kind].median

    none, most = counts[0], counts[-1]
    for count in counts[1:]:
        said = f"{count:,} idle"
        within = 3.0 if count > 100_000 else 1.0
        report.targets += [
            Target(f"{said}: ready in", middle(count, "ready"), within, unit="s"),
            Target(f"{said}: late, median", middle(count, "late"), 5, unit="ms"),
            Target(f"{said}: processor", middle(count, "share"), 0.2, unit="%"),
            Target(
                f"{said}: memory over an empty service",
                middle(count, "memory") - middle(none, "memory"),
                80,
                unit="MB",
            ),
        ]
    for kind in ("create", "get", "list"):
        grown = middle(most, kind) / middle(none, kind)
        report.targets.append(
            Target(f"{most:,} idle: {kind}, of beside none", grown, 1.5, unit="×")
        )


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    parser.add_argument(
        "--count",
        type=int,
        action="append",
        help="how many are idle; ascending, may be repeated; default: 0 and 100,000",
    )
    parser.add_argument("--seconds", type=int, default=20, help="of each watch")
    wanted = parser.parse_args()
    counts = wanted.count or [0, 100_000]
    report = Report("idle", "A service beside idle schedules", command)
    kinds = {
        "ready": ("ready after", "s"),
        "walk": ("walk after a release of time zone rules", "s"),
        "memory": ("memory", "MB"),
        "share": ("processor, of a core", "%"),
        "late": ("start lateness, median", "ms"),
        "create": ("create one", "ms"),
        "get": ("get one", "ms"),
        "list": ("list 50", "ms"),
    }
    rows = {
        (count, kind): report.add(f"{title}, {count:,} idle", unit)
        for kind, (title, unit) in kinds.items()
        for count in counts
    }
    for number in range(wanted.repetitions):
        for count in counts:
            # On the disk that the project is on: a million do not fit into memory.
            with tempfile.TemporaryDirectory(dir=".") as place:
                found = measure(
                    Path(place).resolve(), count=count, seconds=wanted.seconds
                )
            report.raw[f"{count} {number + 1}"] = found.late
            values = {
                "ready": found.ready,
                "walk": found.walk,
                "memory": found.memory / 1e6,
                "share": found.share * 100,
                "late": percentile(found.late, 0.5) * 1000,
                **{kind: took * 1000 for kind, took in found.requests.items()},
            }
            for kind, value in values.items():
                rows[count, kind].samples.append(value)
    judge(report, rows, counts)
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
