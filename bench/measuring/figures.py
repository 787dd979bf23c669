"""The figures of stores: what is measured, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import fill

from bench.measuring.rates import Rate, Spread
from bench.measuring.trial import PAGE, Trial

#: A verb beside idle schedules may take so many times what it takes beside none.
FLAT = 1.5

COMMITS = "limit: commits of 1 row"
ROWS = "limit: rows, 100 a commit"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is done, in batches of some size; ``limit`` is another line."""

    title: str
    measure: Callable[[Trial, int], Rate]
    batch: int
    limit: str | None = None


#: In the order in which a trial can do them.
LINES = (
    Line(COMMITS, Trial.insert_bare, 1),
    Line(ROWS, Trial.insert_bare, 100),
    Line("create, one by one", Trial.create, 1, COMMITS),
    Line("create, batches of 100", Trial.create, 100, ROWS),
    Line("materialise, one by one", Trial.materialise, 1, COMMITS),
    Line("materialise, batches of 100", Trial.materialise, 100, ROWS),
    Line("lease, one by one", Trial.lease, 1, COMMITS),
    Line("lease, batches of 100", Trial.lease, 100, ROWS),
    Line("confirm, one by one", Trial.confirm, 1, COMMITS),
    Line("confirm, batches of 100", Trial.confirm, 100, ROWS),
    Line("report, one by one", Trial.report, 1, COMMITS),
    Line("report, batches of 100", Trial.report, 100, ROWS),
    Line(f"tick: find, next instants, materialise {PAGE}", Trial.tick, PAGE, ROWS),
    Line("lease, confirm and report, batches of 100", Trial.work, 100, ROWS),
    Line("find by id", Trial.find, 1),
)


@dataclass(slots=True)
class Figures:
    """All samples of one run of the benchmark, by place."""

    titles: Mapping[str, str]
    versions: Mapping[str, str]
    machine: Mapping[str, object]
    command: str
    rounds: int
    #: By place and line.
    rates: dict[str, dict[str, list[Rate]]] = field(default_factory=dict)
    #: What each trial has done, by place.
    counts: dict[str, list[Mapping[str, int]]] = field(default_factory=dict)
    #: By place, verb and number of idle schedules, in seconds.
    idle: dict[str, dict[str, dict[int, list[float]]]] = field(default_factory=dict)

    def rate(self, place: str, line: Line) -> list[Rate]:
        """Return the samples of a line."""
        return self.rates.setdefault(place, {}).setdefault(line.title, [])

    def beside(self, place: str, verb: str, count: int) -> list[float]:
        """Return the samples of a verb beside so many idle schedules."""
        verbs = self.idle.setdefault(place, {}).setdefault(verb, {})
        return verbs.setdefault(count, [])

    def spread(self, place: str, line: str) -> Spread:
        """Return how many in a second."""
        return Spread.of([rate.per_second for rate in self.rates[place][line]])

    def share(self, place: str, line: Line) -> float | None:
        """Return what part of the database's own limit the median is."""
        if line.limit is None:
            return None
        limit = self.spread(place, line.limit).middle
        return self.spread(place, line.title).middle / limit

    def growth(self, place: str, verb: str, count: int) -> float:
        """Return how many times longer a verb takes beside so many idle schedules."""
        samples = self.idle[place][verb]
        none = Spread.of(samples[min(samples)]).middle
        return Spread.of(samples[count]).middle / none

    def uneven(self) -> list[str]:
        """Return what idle schedules make slower than they may."""
        return [
            f"{self.titles[place]}: {verb} beside {count:,}"
            for place, verbs in self.idle.items()
            for verb, samples in verbs.items()
            for count in samples
            if self.growth(place, verb, count) > FLAT
        ]

    def raw(self) -> dict[str, object]:
        """Return every sample."""
        return {
            "command": self.command,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "counts": self.counts,
            "rates": {
                place: {
                    title: [[rate.count, rate.wall, rate.processor] for rate in rates]
                    for title, rates in lines.items()
                }
                for place, lines in self.rates.items()
            },
            "idle": self.idle,
        }


def text(figures: Figures) -> Iterator[str]:
    """Tell the figures to a terminal, store by store."""
    for place, title in figures.titles.items():
        yield ""
        yield (
            f"{f'{title} {figures.versions[place]}, a second':50}{'least':>9}"
            f"{'median':>9}{'most':>9}{'processor':>11}{'of limit':>10}"
        )
        for line in LINES:
            spread = figures.spread(place, line.title)
            processor = Spread.of(
                [rate.per_processor_second for rate in figures.rates[place][line.title]]
            )
            share = figures.share(place, line)
            yield (
                f"  {line.title:48}{spread.least:9,.0f}{spread.middle:9,.0f}"
                f"{spread.most:9,.0f}{processor.middle:11,.0f}"
                + ("" if share is None else f"{share:10.0%}")
            )
        yield from _idle_text(figures, place)


def _idle_text(figures: Figures, place: str) -> Iterator[str]:
    for verb, samples in figures.idle.get(place, {}).items():
        for count in samples:
            spread = Spread.of(samples[count])
            grown = figures.growth(place, verb, count)
            said = "" if grown <= FLAT else "  NOT FLAT"
            yield (
                f"  {f'{verb}, {count:,} idle, ms':48}{spread.least * 1000:9.3f}"
                f"{spread.middle * 1000:9.3f}{spread.most * 1000:9.3f}"
                f"{grown:21.2f}×{said}"
            )


def markdown(figures: Figures) -> Iterator[str]:
    """Tell the figures to a page: a column for each store."""
    machine = figures.machine
    yield _wrapped(
        f"Measured with `{figures.command}` on {machine['cores']} cores of "
        f"{machine['processor']}, {int(str(machine['memory'])) >> 30} GiB, "
        f"{machine['system']}, Python {machine['python']}. In a second: the median of "
        f"{figures.rounds} rounds, the least and the most, and what part of the "
        f"database's own limit the median is, measured in the same rounds."
    )
    yield ""
    heads = [
        f"{title} {figures.versions[place]}" for place, title in figures.titles.items()
    ]
    yield _row("a second", heads)
    yield _row("---", ["---:"] * len(heads))
    for line in LINES:
        yield _row(
            line.title, (_cell(figures, place, line) for place in figures.titles)
        )
    yield from _idle_markdown(figures)


def _idle_markdown(figures: Figures) -> Iterator[str]:
    verbs = next(iter(figures.idle.values()), {})
    if not verbs:
        return
    counts = list(next(iter(verbs.values())))
    said = " / ".join(f"{count:,}" for count in counts)
    yield ""
    yield _wrapped(
        f"One call beside {said} idle schedules: the medians in milliseconds, and how "
        f"many times the first the last is."
    )
    yield ""
    yield _row("ms", figures.titles.values())
    yield _row("---", ["---:"] * len(figures.titles))
    for verb in verbs:
        yield _row(verb, (_idle_cell(figures, place, verb) for place in figures.idle))


def _wrapped(text: str) -> str:
    return fill(text, 92, break_on_hyphens=False)


def _row(head: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([head, *cells])} |"


def _cell(figures: Figures, place: str, line: Line) -> str:
    share = figures.share(place, line)
    said = figures.spread(place, line.title).told()
    return said if share is None else f"{said}, {share:.0%}"


def _idle_cell(figures: Figures, place: str, verb: str) -> str:
    samples = figures.idle[place][verb]
    medians = [Spread.of(samples[count]).middle * 1000 for count in samples]
    said = " / ".join(f"{middle:.2f}" for middle in medians)
    return f"{said}, {figures.growth(place, verb, max(samples)):.2f} ×"
