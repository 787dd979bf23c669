"""How many occurrences does a node make in a second, and how many runs pass through it?

A node's own code over SQLite, each commit on the disk: next instants and their runs in
one step of its ticker; then leases, confirmations and reports in batches of 100. In
turns with it, what SQLite does with bare rows.

    make bench ROW=node
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.figures import LINES, ROWS
from bench.measuring.places import Sqlite
from bench.measuring.rates import Rate
from bench.measuring.report import Report, Series, Target, arguments
from bench.measuring.trial import Sizes, Trial
from bench.stores import new_store

Measure = Callable[[Trial, int], Rate]

#: By what measures it.
_TITLES: dict[Measure, str] = {
    Trial.tick: "occurrences made, next instants included",
    Trial.work: "runs leased, confirmed and reported, batches of 100",
}


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=3)
    parser.add_argument("--count", type=int, default=2000, help="of each")
    wanted = parser.parse_args()
    report = Report("node", "What a node does in a second, over SQLite", command)
    limit = report.add("limit: bare rows, 100 a commit", "/s")
    rows = {measured: report.add(title, "/s") for measured, title in _TITLES.items()}
    with tempfile.TemporaryDirectory(dir=".") as directory:
        place = Sqlite(Path(directory).resolve() / "sqlite")
        with place.running():
            for _ in range(wanted.repetitions):
                _once(place, wanted.count, limit.samples, rows)
    made, passed = (series.median for series in rows.values())
    report.targets += [
        Target("occurrences", made, 10_000, at_least=True, unit="/s"),
        Target("runs", passed, 5_000, at_least=True, unit="/s"),
    ]
    return report.finish(publish=wanted.publish)


def _once(
    place: Sqlite, count: int, limit: list[float], rows: Mapping[Measure, Series]
) -> None:
    bare = place.bare()
    with new_store(place) as store:
        trial = Trial(store, bare, Sizes(single=10, batched=count))
        for line in LINES:
            found = line.measure(trial, line.batch)
            if line.title == ROWS:
                limit.append(found.per_second)
            if line.measure in rows:
                rows[line.measure].samples.append(found.per_second)
        trial.account()
    bare.close()


if __name__ == "__main__":
    sys.exit(main())
