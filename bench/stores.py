"""What each store does in a second on this machine, beside its database's own limit.

Every store that Crony has a driver for, each on a server that the benchmark starts, in
turns: a round does one thing in each store before it goes on to the next thing, so that
other work on the machine hits all alike. Then the same verbs are timed beside no idle
schedules, and beside many. Raw samples are kept under bench/results/.

    make bench ROW=stores
    python bench/stores.py --store sqlite --store redis --quick
    python bench/stores.py --full
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring import figures as telling
from bench.measuring import samples
from bench.measuring.figures import LINES, Figures
from bench.measuring.idle import Shelf
from bench.measuring.places import PLACES, Place
from bench.measuring.trial import Sizes, Trial
from crony.storage import open_store
from crony.storage.contract import Store

#: The page that shows the figures, and where in it.
PAGE = Path(__file__).resolve().parents[1] / "docs" / "howto" / "choose-a-store.md"
BEGIN = "<!-- Written by `python bench/stores.py --publish`. -->\n"
END = "<!-- End of what the benchmark has written. -->\n"


#: By the name of the place, and how many are idle.
Shelves = dict[tuple[str, int], Shelf]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    sizes: Sizes
    rounds: int
    #: Numbers of idle schedules; the others are compared with the first.
    idle: tuple[int, ...]
    #: How often each verb is timed beside them.
    repeats: int


#: What a page of the documentation shows; to store a million in five stores takes most
#: of an hour.
FULL = Plan(Sizes(single=500, batched=5000), 5, (0, 100_000, 1_000_000), 50)
USUAL = Plan(Sizes(single=200, batched=1000), 2, (0, 10_000), 20)
QUICK = Plan(Sizes(single=10, batched=200), 2, (0, 1000, 2000), 3)


def measure(
    places: Sequence[Place], plan: Plan, *, progress: Progress, command: str
) -> Figures:
    """Return the figures of places that are running."""
    figures = Figures(
        titles={place.name: place.title for place in places},
        versions={place.name: place.version() for place in places},
        machine=samples.machine(),
        command=command,
        rounds=plan.rounds,
    )
    for number in range(plan.rounds):
        _play_round(places, plan.sizes, figures, progress, number=number + 1)
    if plan.idle:
        _measure_idle(places, plan, figures, progress)
    return figures


def _kept(figures: Figures) -> None:
    """Keep what was measured: of much that is stored, the removal may fail."""
    print(f"samples in {samples.keep('stores', figures.raw())}")


def _play_round(
    places: Sequence[Place],
    sizes: Sizes,
    figures: Figures,
    progress: Progress,
    *,
    number: int,
) -> None:
    task = progress.add_task(f"round {number}", total=len(LINES) * len(places))
    with ExitStack() as stack:
        trials: dict[str, Trial] = {}
        for place in places:
            bare = place.bare()
            stack.callback(bare.close)
            store = stack.enter_context(new_store(place))
            trials[place.name] = Trial(store, bare, sizes)
        for line, place in product(LINES, places):
            rate = line.measure(trials[place.name], line.batch)
            figures.rate(place.name, line).append(rate)
            progress.advance(task)
        for place in places:
            done = trials[place.name].account()
            figures.counts.setdefault(place.name, []).append(done)


def _measure_idle(
    places: Sequence[Place], plan: Plan, figures: Figures, progress: Progress
) -> None:
    with ExitStack() as stack:
        shelves: Shelves = {}
        for place, count in product(places, plan.idle):
            url = place.new()
            shelf = Shelf(stack.enter_context(opened(place, url)), url=url)
            shelves[place.name, count] = shelf
        _fill(places, shelves, progress)
        # What is read for the first time takes longer, whatever there is of it.
        for shelf in shelves.values():
            shelf.sample()
        task = progress.add_task("beside them", total=plan.repeats * len(shelves))
        for _, ((name, count), shelf) in product(range(plan.repeats), shelves.items()):
            for verb, seconds in shelf.sample().items():
                figures.beside(name, verb, count).append(seconds)
            progress.advance(task)
        _kept(figures)


def _fill(places: Sequence[Place], shelves: Shelves, progress: Progress) -> None:
    """Store the idle schedules, in all places at once: nothing of it is measured."""

    def fill(place: Place) -> None:
        for (name, count), shelf in shelves.items():
            if name == place.name:
                task = progress.add_task(f"{place.title}, idle", total=count)
                for stored in shelf.fill(count):
                    progress.advance(task, stored)

    with ThreadPoolExecutor(len(places)) as pool:
        for _ in pool.map(fill, places):
            pass


def new_store(place: Place) -> AbstractContextManager[Store]:
    """Have an empty store of that place, migrated and open."""
    return opened(place, place.new())


@contextmanager
def opened(place: Place, url: str) -> Iterator[Store]:
    """Have the empty store of a URL, migrated and open."""
    store = open_store(url)
    store.migrate()
    store.open()
    try:
        yield store
    finally:
        store.close()
        place.forget(url)


def publish(figures: Figures, *, page: Path = PAGE) -> None:
    """Write the figures into the documentation, in the place of those before."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    told = "\n".join(telling.markdown(figures))
    page.write_text(f"{before}{BEGIN}\n{told}\n\n{END}{after}", encoding="utf-8")


def main(words: Sequence[str] = ()) -> int:
    """Measure, print, and keep the samples."""
    parser = argparse.ArgumentParser(
        prog="python bench/stores.py", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--store",
        action="append",
        choices=PLACES,
        help="measure this one only; may be repeated; default: all",
    )
    much = parser.add_mutually_exclusive_group()
    much.add_argument(
        "--quick", action="store_true", help="a few of each: to see that it works"
    )
    much.add_argument(
        "--full", action="store_true", help="beside a million idle schedules: an hour"
    )
    parser.add_argument("--rounds", type=int, help="how often all is measured")
    parser.add_argument(
        "--idle",
        type=lambda text: tuple(int(count) for count in text.split(",") if count),
        metavar="N,N,…",
        help="numbers of idle schedules, ascending; empty: leave it out",
    )
    parser.add_argument(
        "--publish", action="store_true", help=f"write the figures to {PAGE.name}"
    )
    asked = parser.parse_args(words or sys.argv[1:])
    given = QUICK if asked.quick else FULL if asked.full else USUAL
    plan = Plan(
        given.sizes,
        asked.rounds or given.rounds,
        given.idle if asked.idle is None else asked.idle,
        given.repeats,
    )
    command = shlex.join(["python", "bench/stores.py", *(words or sys.argv[1:])])
    # On the disk that the project is on: /tmp may be none.
    with tempfile.TemporaryDirectory(dir=".") as directory, ExitStack() as stack:
        places = [
            PLACES[name](Path(directory).resolve() / name)
            for name in asked.store or PLACES
        ]
        for place in places:
            stack.enter_context(place.running())
        progress = stack.enter_context(_progress())
        figures = measure(places, plan, progress=progress, command=command)
    if not plan.idle:
        _kept(figures)
    for line in telling.text(figures):
        print(line)
    if asked.publish:
        publish(figures)
    uneven = figures.uneven()
    print(f"target: flat within {telling.FLAT} ×: {'; '.join(uneven) or 'met'}")
    return 1 if uneven and not asked.quick else 0


def _progress() -> Progress:
    """Return what shows on a terminal how far it is, and nothing elsewhere."""
    console = Console(stderr=True)
    return Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


if __name__ == "__main__":
    sys.exit(main())
