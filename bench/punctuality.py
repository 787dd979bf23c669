"""How late do runs start? One schedule that is due each second, sandboxed.

A real service and a real worker on this machine. The task's first instruction is
the read of the host's clock: its difference to the occurrence is the sample. Raw
samples are kept under bench/results/.

    make bench ROW=punctuality
    python bench/punctuality.py --seconds 60
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.samples import keep, machine
from crony import wire
from crony.client import Client
from crony.testing.service import ServiceProcess, running_service
from crony.testing.worker import running_worker

#: Prints the host's clock as soon as it runs; the time that it takes to be loaded
#: is part of the sample.
_CLOCK = ["/bin/date", "+%s.%N"]


def measure(service: ServiceProcess, *, seconds: int) -> list[dict[str, object]]:
    """Run the schedule for so long; return what became of each occurrence."""
    client = Client(service.url, key=service.admin_key)
    body = {"name": "each-second", "cron": "* * * * * *", "task": {"command": _CLOCK}}
    client.create_schedule(body)
    # The first occurrence was not known in advance; it is no sample.
    time.sleep(seconds + 2)
    client.pause_schedule("each-second")
    time.sleep(1)
    samples = [
        _sample(client, str(run["id"]), str(run["scheduled_for"]))
        for run in client.each_run("each-second", state="succeeded")
    ]
    client.close()
    return sorted(samples, key=lambda sample: str(sample["scheduled_for"]))[1:]


def _sample(client: Client, run: str, scheduled_for: str) -> dict[str, object]:
    began = float(client.get_log(run).split()[0])
    due = wire.parse_instant(scheduled_for).timestamp()
    attempt = client.get_run(run)
    return {
        "run": run,
        "scheduled_for": scheduled_for,
        "late": began - due,
        "reported": attempt["lateness"],
    }


def shown(samples: list[dict[str, object]]) -> dict[str, float]:
    """Return the figures of a series, in seconds."""
    late = sorted(float(str(sample["late"])) for sample in samples)
    return {
        "min": late[0],
        "median": statistics.median(late),
        "p99": late[min(len(late) - 1, int(len(late) * 0.99))],
        "max": late[-1],
    }


def main() -> int:
    """Measure, print, and keep the samples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        with (
            running_service(home / "service") as service,
            running_worker(service, home / "worker"),
        ):
            samples = measure(service, seconds=wanted.seconds)
            client = Client(service.url, key=service.admin_key)
            level = next(client.each_worker())["sandbox_level"]
            client.close()
    figures = shown(samples)
    said = {
        "sandbox": level,
        "machine": machine(),
        "figures": figures,
        "samples": samples,
    }
    kept = keep("punctuality", said)
    print(f"punctuality: {len(samples)} runs, sandbox {level}")
    for name, value in figures.items():
        print(f"  {name:<7}{value * 1000:9.3f} ms")
    print(f"  samples in {kept}")
    return 0 if samples else 1


if __name__ == "__main__":
    sys.exit(main())
