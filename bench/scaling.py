"""What would a hundred million schedules and a million workers take?

An hour, second by second, of many nodes over a store in shards. What one node and one
shard do in a second are figures that were measured, and are given; what is simulated is
how the load arrives: minutes are not alike, and a full hour is the worst of them.
It tells how many nodes and shards keep up, what waits where they do not, and which part
gives way first.

    python bench/scaling.py
    python bench/scaling.py --schedules 1000000 --workers 10000 --nodes 2 --shards 1
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

HOUR = 3600

#: Of schedules, what share comes due how: at full hours, at full minutes, in between.
#: From crontabs that people publish: most jobs are hourly or daily, at minute 0.
SHAPE = {"hour": 0.25, "minute": 0.45, "spread": 0.30}

#: How many records each run costs a shard: made, leased, confirmed, reported.
WRITES_PER_RUN = 4
#: A waiting worker's poll renews its place in the store.
WRITES_PER_POLL = 1


@dataclass(frozen=True, slots=True)
class Rates:
    """What one of each does in a second, on one core."""

    #: Of a node: occurrences made, runs leased to reported, and polls answered.
    made: float
    passed: float
    polls: float
    #: Of a shard: records written in batches of a hundred.
    writes: float


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked for."""

    schedules: int
    #: Seconds between two occurrences of a schedule, on average.
    period: float
    workers: int
    #: Seconds that a poll waits.
    wait: float


@dataclass(slots=True)
class Part:
    """Nodes, or shards: so much they do in a second, and what has not been done."""

    name: str
    capacity: float
    backlog: float = 0.0
    worst: float = 0.0
    busiest: float = 0.0

    def take(self, work: float) -> float:
        """Do what a second allows; return how much of the work was done."""
        self.backlog += work
        self.busiest = max(self.busiest, self.backlog / self.capacity)
        done = min(self.backlog, self.capacity)
        self.backlog -= done
        self.worst = max(self.worst, self.backlog / self.capacity)
        return done


def arrivals(load: Load) -> Iterator[float]:
    """Yield how many occurrences are due in each second of an hour."""
    whole = load.schedules * HOUR / load.period
    for second in range(HOUR):
        due = whole * SHAPE["spread"] / HOUR
        if second % 60 == 0:
            due += whole * SHAPE["minute"] / 60
        if second == 0:
            due += whole * SHAPE["hour"]
        yield due


def play(
    load: Load, rates: Rates, *, nodes: int, shards: int, jitter: int = 0
) -> list[Part]:
    """Play the hour; return the parts with what waited longest, in seconds.

    With ``jitter`` what is due at one instant is spread over so many seconds, as the
    schedules' own jitter does.
    """
    making = Part("making occurrences", nodes * rates.made)
    passing = Part("leases and reports", nodes * rates.passed)
    writing = Part("the store's writes", shards * rates.writes)
    polls = load.workers / load.wait
    # Polls take their part of each node first: they keep leases alive.
    share = polls / (nodes * rates.polls)
    polling = Part("waiting polls", nodes * rates.polls)
    for part in (making, passing):
        part.capacity *= max(1e-9, 1 - share)
    for due in _spread(list(arrivals(load)), jitter):
        polling.take(polls)
        passing.take(making.take(due))
        writing.take(due * WRITES_PER_RUN + polls * WRITES_PER_POLL)
    return [polling, making, passing, writing]


def _spread(due: Sequence[float], jitter: int) -> list[float]:
    if jitter <= 1:
        return list(due)
    spread = [0.0] * len(due)
    for second, count in enumerate(due):
        for step in range(jitter):
            spread[(second + step) % len(due)] += count / jitter
    return spread


def needed(load: Load, rates: Rates, *, within: float, jitter: int) -> tuple[int, int]:
    """Return how many nodes and shards keep each wait within so many seconds."""
    nodes = _least(
        lambda count: _waits(
            play(load, rates, nodes=count, shards=10**9, jitter=jitter), within
        )
    )
    shards = _least(
        lambda count: _waits(
            play(load, rates, nodes=nodes, shards=count, jitter=jitter), within
        )
    )
    return nodes, shards


def _waits(parts: Sequence[Part], within: float) -> bool:
    return all(part.worst <= within and part.backlog <= part.capacity for part in parts)


def _least(enough: object) -> int:
    assert callable(enough)
    most = 1
    while not enough(most):
        most *= 2
        if most > 10**7:
            raise SystemExit("no number of them is enough")
    low, high = most // 2, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def tell(load: Load, rates: Rates, *, within: float) -> Iterator[str]:
    """Say what it takes, with and without jitter."""
    mean = load.schedules / load.period
    peak = max(arrivals(load))
    yield f"{load.schedules:,} schedules, one occurrence in {load.period:g} s each"
    yield f"{load.workers:,} workers, polls of {load.wait:g} s"
    yield f"due in a second: {mean:,.0f} on average, {peak:,.0f} at the full hour"
    for jitter in (0, 60):
        nodes, shards = needed(load, rates, within=within, jitter=jitter)
        how = f"jitter over {jitter} s" if jitter else "no jitter"
        yield f"{how}: {nodes:,} nodes and {shards:,} shards keep within {within:g} s"
        for part in play(load, rates, nodes=nodes, shards=shards, jitter=jitter):
            yield (
                f"  {part.name:22} busiest second {part.busiest:8.2f} × what it can do,"
                f" longest wait {part.worst:7.1f} s"
            )


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--schedules", type=int, default=100_000_000)
    parser.add_argument("--workers", type=int, default=1_000_000)
    parser.add_argument("--period", type=float, default=HOUR, help="seconds")
    parser.add_argument("--wait", type=float, default=20, help="of a poll, seconds")
    parser.add_argument("--within", type=float, default=10, help="seconds, at most")
    parser.add_argument("--made", type=float, default=2500, help="by a node, a second")
    parser.add_argument("--passed", type=float, default=1500, help="by a node")
    parser.add_argument("--polls", type=float, default=340, help="by a node")
    parser.add_argument("--writes", type=float, default=20_000, help="by a shard")
    parser.add_argument("--nodes", type=int, help="play these instead")
    parser.add_argument("--shards", type=int, default=1)
    asked = parser.parse_args()
    load = Load(asked.schedules, asked.period, asked.workers, asked.wait)
    rates = Rates(asked.made, asked.passed, asked.polls, asked.writes)
    if asked.nodes is None:
        for line in tell(load, rates, within=asked.within):
            print(line)
        return 0
    for part in play(load, rates, nodes=asked.nodes, shards=asked.shards):
        print(
            f"{part.name:22} busiest second {part.busiest:8.2f} × what it can do,"
            f" longest wait {part.worst:7.1f} s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
