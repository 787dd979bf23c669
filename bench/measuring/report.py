"""What a row of the benchmarks found: printed, kept, and put on the page of results.

A row is some series of figures, taken in turns in one run, and its targets: most are
ratios of two series, since machines differ and are shared.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.measuring import chart, samples
from bench.measuring.rates import Spread

BENCH = Path(__file__).resolve().parents[1]
PAGE = BENCH / "results.md"
CHARTS = BENCH / "charts"

_HEAD = """\
# Results

What `make bench` found last, row by row. Each row was measured in one run, its figures
in turns, so that other work on the machine hits all alike; the medians are of as many
repetitions as the row says.
"""


@dataclass(slots=True)
class Series:
    """One figure, and what it was in each repetition."""

    title: str
    unit: str
    samples: list[float] = field(default_factory=list)

    @property
    def spread(self) -> Spread:
        return Spread.of(self.samples)

    @property
    def median(self) -> float:
        return self.spread.middle

    def cells(self) -> tuple[str, str, str]:
        """Return least, median and most as they are told."""
        spread = self.spread
        return number(spread.least), number(spread.middle), number(spread.most)


@dataclass(frozen=True, slots=True)
class Target:
    """What was wanted of a value, and what it is."""

    title: str
    value: float
    bound: float
    #: Whether more is better.
    at_least: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def told(self) -> str:
        """Return it in one line."""
        sign = "≥" if self.at_least else "≤"
        verdict = "met" if self.is_met else "MISSED"
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"{self.title}: {number(self.value)}{unit}, wanted {sign} "
            f"{number(self.bound)}{unit}: {verdict}"
        )


@dataclass(frozen=True, slots=True)
class Course:
    """How some figures went over time."""

    title: str
    unit: str
    seconds: float
    series: Mapping[str, Sequence[float]]


@dataclass(slots=True)
class Report:
    """One row: its series, its targets, and every sample behind them."""

    row: str
    title: str
    command: str
    machine: dict[str, object] = field(default_factory=samples.machine)
    series: list[Series] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    #: What a reader must know, in sentences.
    notes: list[str] = field(default_factory=list)
    #: What was looked at all the time, and for how many seconds.
    course: Course | None = None
    #: Whatever was measured one by one.
    raw: dict[str, object] = field(default_factory=dict)

    def add(self, title: str, unit: str) -> Series:
        """Return a new series."""
        series = Series(title, unit)
        self.series.append(series)
        return series

    def text(self) -> Iterator[str]:
        """Tell it to a terminal."""
        yield self.title
        width = max((len(series.title) for series in self.series), default=0)
        yield f"  {'':{width}}{'least':>12}{'median':>12}{'most':>12}"
        for series in self.series:
            low, middle, high = series.cells()
            yield (
                f"  {series.title:{width}}{low:>12}{middle:>12}{high:>12}"
                f"  {series.unit}"
            )
        yield from (f"  {note}" for note in self.notes)
        yield from (f"  target: {target.told()}" for target in self.targets)

    def markdown(self) -> Iterator[str]:
        """Tell it to the page of results."""
        machine = self.machine
        yield f"## {self.title}"
        yield ""
        yield f"`{self.command}`"
        yield ""
        yield "| | unit | least | median | most |"
        yield "| --- | --- | ---: | ---: | ---: |"
        for series in self.series:
            yield f"| {series.title} | {series.unit} | {' | '.join(series.cells())} |"
        yield ""
        yield f"![{self.title}](charts/{self.row}.svg)"
        yield ""
        if self.course is not None:
            yield f"![{self.course.title}](charts/{self.row}-course.svg)"
            yield ""
        yield from (f"- {target.told()}" for target in self.targets)
        yield from (f"- {note}" for note in self.notes)
        count = max((len(series.samples) for series in self.series), default=0)
        yield (
            f"- {count} repetitions on {machine['cores']} cores of "
            f"{machine['processor']}, {int(str(machine['memory'])) >> 30} GiB, "
            f"{machine['system']}, Python {machine['python']}."
        )

    def finish(self, *, publish: bool) -> int:
        """Print and keep it; return the exit code: 1 where a target was missed."""
        for line in self.text():
            print(line)
        kept = samples.keep(
            self.row,
            {
                "command": self.command,
                "machine": self.machine,
                "series": {s.title: s.samples for s in self.series},
                "raw": self.raw,
            },
        )
        print(f"  samples in {kept}")
        if publish:
            self.publish()
        return 0 if all(target.is_met for target in self.targets) else 1

    def publish(self, *, page: Path = PAGE, charts: Path = CHARTS) -> None:
        """Put it on the page of results, in the place of the row's figures before."""
        begin, end = f"<!-- {self.row} -->\n", f"<!-- end of {self.row} -->\n"
        told = "\n".join(self.markdown())
        section = f"{begin}{told}\n{end}"
        text = page.read_text(encoding="utf-8") if page.exists() else _HEAD
        before, found, rest = text.partition(begin)
        if found:
            text = before + section + rest.partition(end)[2]
        else:
            text = f"{text}\n{section}"
        page.write_text(text, encoding="utf-8")
        charts.mkdir(exist_ok=True)
        drawn = chart.bars(
            self.title, [(s.title, s.unit, s.spread) for s in self.series]
        )
        (charts / f"{self.row}.svg").write_text(drawn, encoding="utf-8")
        if (course := self.course) is not None:
            drawn = chart.lines(
                course.title, course.unit, course.series, seconds=course.seconds
            )
            (charts / f"{self.row}-course.svg").write_text(drawn, encoding="utf-8")


def number(value: float) -> str:
    """Return a figure as people read it: three digits that mean something."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def arguments(
    doc: str | None, *, repetitions: int
) -> tuple[argparse.ArgumentParser, str]:
    """Return the options that all rows have, and the command as it was given."""
    program = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(
        prog=f"python bench/{program}", description=(doc or "").partition("\n")[0]
    )
    parser.add_argument(
        "--repetitions",
        type=int,
        default=repetitions,
        help="how often all is measured; default: %(default)s",
    )
    parser.add_argument(
        "--publish",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="put the figures into bench/results.md and draw their chart (the default)",
    )
    return parser, shlex.join(["python", f"bench/{program}", *sys.argv[1:]])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all is not above (nearest rank)."""
    ordered = sorted(values)
    rank = -(-int(share * 1000) * len(ordered) // 1000)
    return ordered[max(0, min(len(ordered), rank) - 1)]
