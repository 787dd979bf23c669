"""Time from one occurrence to the next: ours, croniter and cronsim side by side.

A library that is not installed is left out. Each figure is of one step, in
microseconds, over passes of many steps from the same instant; all libraries take the
same passes in turn, so that a busy machine troubles them alike.

    make bench ROW=next_instant
    python bench/next_instant.py --repetitions 50
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Target, arguments
from crony.model.trigger import Cron
from crony.triggers import compile_trigger

EXPRESSIONS = [
    ("* * * * *", "UTC"),
    ("*/15 * * * *", "America/New_York"),
    ("0 * * * *", "Europe/Berlin"),
    ("30 2 * * 1-5", "Europe/Berlin"),
    ("*/20 9-17 * * mon-fri", "America/New_York"),
    ("0 0 1 * *", "Europe/Berlin"),
    ("0 9 * * 1#2", "UTC"),
    ("0 0 13 * 5", "Asia/Tokyo"),
]
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
STEPS = 200
TARGET = 10.0

Steps = Callable[[str, str], Iterator[datetime]]


def ours(expression: str, timezone: str) -> Iterator[datetime]:
    """Step as the service does: each time from an instant, without state."""
    occurrences = compile_trigger(
        Cron(expression, timezone), identity="bench", anchor=START
    )
    instant = occurrences.first(START)
    while instant is not None:
        yield instant
        instant = occurrences.first(instant)


def with_croniter(expression: str, timezone: str) -> Iterator[datetime]:
    """Step through croniter's own iterator."""
    from croniter import croniter

    return iter(
        croniter(
            expression, START.astimezone(ZoneInfo(timezone)), ret_type=datetime
        ).all_next(datetime)
    )


def with_cronsim(expression: str, timezone: str) -> Iterator[datetime]:
    """Step through cronsim's own iterator."""
    from cronsim import CronSim

    return iter(CronSim(expression, START.astimezone(ZoneInfo(timezone))))


def contenders() -> dict[str, Steps]:
    """Return what can be measured here."""
    found: dict[str, Steps] = {"ours": ours}
    if find_spec("croniter"):
        found["croniter"] = with_croniter
    if find_spec("cronsim"):
        found["cronsim"] = with_cronsim
    return found


def step_time(steps: Steps, expression: str, timezone: str) -> float:
    """Return the microseconds of one step, averaged over a pass."""
    iterator = steps(expression, timezone)
    next(iterator)
    begun = time.perf_counter()
    taken = sum(1 for _ in islice(iterator, STEPS))
    return (time.perf_counter() - begun) / taken * 1e6


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=15)
    wanted = parser.parse_args()
    report = Report("next_instant", "From one occurrence to the next", command)
    libraries = contenders()
    for expression, timezone in EXPRESSIONS:
        series = {
            name: report.add(f"`{expression}` in {timezone}, {name}", "µs")
            for name in libraries
        }
        for _ in range(wanted.repetitions):
            for name, steps in libraries.items():
                taken = step_time(steps, expression, timezone)
                series[name].samples.append(taken)
        middle = series["ours"].median
        title = f"from `{expression}` to the next, ours"
        report.targets.append(Target(title, middle, TARGET, unit="µs"))
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
