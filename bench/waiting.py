"""What do a thousand workers cost that wait on one node?

Each waits in a long poll of its own, as an idle worker does, and polls again when its
wait is over. Meanwhile runs are asked for by hand, one by one, for a queue that one of
them serves: the time is that until the run is in its hands.

    make bench ROW=waiting
    python bench/waiting.py --workers 1000 --seconds 20
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.load import Connection, connect, request
from bench.measuring.processes import memory, processor
from bench.measuring.report import Report, Target, arguments, percentile
from crony.client import Client
from crony.testing.service import ServiceProcess, running_service

_SESSION = "ses_1_bench"
_LAST = "lonely"


@dataclass(slots=True)
class Crowd:
    """Workers that wait, and what the last of them got when."""

    url: str
    workers: Sequence[Mapping[str, object]]
    held: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    answers: int = 0
    #: Runs that came, and when; what is not confirmed comes again later.
    got: asyncio.Queue[tuple[str, float]] = field(default_factory=asyncio.Queue)

    async def wait(self, worker: Mapping[str, object], *, lonely: bool) -> None:
        """Poll, again and again."""
        connection = await connect(self.url)
        sequence = 0
        try:
            while True:
                sequence += 1
                await self._poll(connection, worker, sequence, lonely=lonely)
        finally:
            connection.close()

    async def _poll(
        self,
        connection: Connection,
        worker: Mapping[str, object],
        sequence: int,
        *,
        lonely: bool,
    ) -> None:
        identity = str(worker["id"])
        sent = request(
            "POST",
            f"/workers/{identity}/leases",
            headers={"Authorization": f"Bearer {worker['key']}"},
            body={"session": _SESSION, "seq": sequence, "slots": 1, "wait": "20s"},
        )
        status, body = await connection.ask(sent)
        if status != 200:
            raise AssertionError(f"a poll was refused: {status} {body[:300]!r}")
        self.answers += 1
        now = time.perf_counter()
        for lease in json.loads(body)["leases"]:
            if not lonely:
                raise AssertionError("a run went to a worker of another queue")
            self.got.put_nowait((str(lease["run"]), now))


def register(service: ServiceProcess, count: int) -> list[dict[str, object]]:
    """Register workers; the last one alone serves a queue of its own."""
    client = Client(service.url, key=service.admin_key)
    made = []
    for number in range(count):
        answer = client.register_worker(
            {
                "name": f"host-{number}",
                "machine": f"{number:08x}",
                "queues": [_LAST if number == count - 1 else "default"],
                "slots": 4,
                "sandbox_level": "full",
            }
        )
        made.append({"id": answer["id"], "key": answer["key"]})
    body = {
        "name": "by-hand",
        "cron": "0 0 29 2 *",
        "queue": _LAST,
        "task": {"command": "true"},
        "max_concurrent": 1000,
    }
    client.create_schedule(body)
    client.close()
    return made


async def measure(
    service: ServiceProcess,
    workers: Sequence[Mapping[str, object]],
    *,
    seconds: float,
    runs: int,
) -> dict[str, list[float]]:
    """Let them wait; return the share of a core, the memory, and each run's way."""
    crowd = Crowd(service.url, workers)
    last = len(workers) - 1
    waiting = [
        asyncio.create_task(crowd.wait(worker, lonely=number == last))
        for number, worker in enumerate(workers)
    ]
    # All have come, and been looked at.
    await asyncio.sleep(5)
    pid = service.process.pid
    before, began = processor(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    share = (processor(pid) - before) / (time.perf_counter() - began)
    ways = [await _ask(service, crowd) for _ in range(runs)]
    held = memory(pid)
    broken = [task for task in waiting if task.done()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for task in broken:
        task.result()
    return {"share": [share], "memory": [float(held)], "ways": ways}


async def _ask(service: ServiceProcess, crowd: Crowd) -> float:
    connection = await connect(service.url)
    asked = time.perf_counter()
    status, body = await connection.ask(
        request("POST", "/schedules/by-hand/run", headers=service.headers)
    )
    if status >= 300:
        raise AssertionError(f"no run: {status} {body[:300]!r}")
    wanted, got = str(json.loads(body)["id"]), 0.0
    async with asyncio.timeout(30):
        while not got:
            run, at = await crowd.got.get()
            got = at if run == wanted else 0.0
    # Nobody executes it: it would come again.
    path = f"/runs/{wanted}/cancel"
    await connection.ask(request("POST", path, headers=service.headers))
    connection.close()
    await asyncio.sleep(0.1)
    return got - asked


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    parser.add_argument("--workers", type=int, default=1000, help="how many wait")
    parser.add_argument("--seconds", type=float, default=20, help="for how long")
    wanted = parser.parse_args()
    report = Report("waiting", f"{wanted.workers:,} workers that wait", command)
    share = report.add("processor, of a core", "%")
    held = report.add("memory of the service", "MB")
    way = report.add("a run asked for reaches one, median", "ms")
    most = report.add("a run asked for reaches one, p99", "ms")
    for number in range(wanted.repetitions):
        with (
            tempfile.TemporaryDirectory() as place,
            running_service(Path(place) / "home", log_level="warning") as service,
        ):
            workers = register(service, wanted.workers)
            found = uvloop.run(
                measure(service, workers, seconds=wanted.seconds, runs=20)
            )
        report.raw[f"repetition {number + 1}"] = found
        share.samples.append(found["share"][0] * 100)
        held.samples.append(found["memory"][0] / 1e6)
        way.samples.append(percentile(found["ways"], 0.5) * 1000)
        most.samples.append(percentile(found["ways"], 0.99) * 1000)
    report.targets += [
        Target("processor", share.median, 10, unit="%"),
        Target("memory", held.median, 250, unit="MB"),
        Target("a run now, median", way.median, 20, unit="ms"),
    ]
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
