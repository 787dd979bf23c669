"""The benchmark of stores runs, and what it counts is there; never how fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.progress import Progress

from bench.measuring import figures as telling
from bench.measuring.figures import LINES, Figures
from bench.measuring.places import Place, Redis, Sqlite
from bench.measuring.trial import Miscounted, Sizes, Trial
from bench.stores import BEGIN, END, Plan, measure, new_store, publish

PLAN = Plan(Sizes(single=3, batched=100), 2, (0, 10), 1)


@pytest.fixture(params=[Sqlite, Redis], ids=lambda place: place.name)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place where it costs little to measure."""
    made = request.param(tmp_path / "place")
    with made.running():
        yield made


def measured(place: Place, plan: Plan = PLAN) -> Figures:
    with Progress(disable=True) as progress:
        return measure([place], plan, progress=progress, command="bench")


def test_each_round_does_all_and_each_run_has_ended(place: Place) -> None:
    figures = measured(place)

    schedules = PLAN.sizes.single + PLAN.sizes.batched
    assert figures.counts == {
        place.name: PLAN.rounds
        * [
            {
                "created": schedules,
                "materialised": schedules,
                "ticked": schedules,
                "leased": 2 * schedules,
                "confirmed": 2 * schedules,
                "reported": 2 * schedules,
                "found": PLAN.sizes.single,
            }
        ]
    }
    rates = figures.rates[place.name]
    assert list(rates) == [line.title for line in LINES]
    assert {len(samples) for samples in rates.values()} == {PLAN.rounds}
    for line in LINES:
        size = PLAN.sizes.single if line.batch == 1 else PLAN.sizes.batched
        whole = {"tick", "lease, confirm and report"} & {
            line.title.partition(":")[0],
            line.title.rpartition(",")[0],
        }
        wanted = schedules if whole else size
        assert [rate.count for rate in rates[line.title]] == [wanted] * PLAN.rounds
    for samples in figures.idle[place.name].values():
        assert {count: len(each) for count, each in samples.items()} == {0: 1, 10: 1}


def test_a_run_that_is_left_is_no_result(tmp_path: Path) -> None:
    place = Sqlite(tmp_path / "place")
    with place.running(), new_store(place) as store:
        trial = Trial(store, place.bare(), PLAN.sizes)
        for line in LINES:
            if line.measure is not Trial.work:
                line.measure(trial, line.batch)
        with pytest.raises(Miscounted, match="done was"):
            trial.account()
        trial.done.update(dict.fromkeys(("leased", "confirmed", "reported"), 103))
        with pytest.raises(Miscounted, match="of 206 runs"):
            trial.account()
        trial.bare.close()


def test_figures_are_told_and_take_the_place_of_those_before(tmp_path: Path) -> None:
    place = Sqlite(tmp_path / "place")
    with place.running():
        figures = measured(place, replace(PLAN, rounds=1))
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n{BEGIN}old\n{END}After.\n")

    publish(figures, page=page)
    publish(figures, page=page)

    said = page.read_text()
    assert said.startswith("# Page\n")
    assert said.endswith("After.\n")
    assert "old" not in said
    assert said.count(BEGIN) == 1
    for line in LINES:
        assert f"| {line.title} | " in said
        assert any(line.title in each for each in telling.text(figures))
