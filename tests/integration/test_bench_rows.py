"""Each row of the benchmarks runs, and what it counts is there; never how fast."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from bench import (
    api,
    beside,
    burst,
    cli,
    crash,
    history,
    idle,
    next_instant,
    overload,
    punctuality,
    run_now,
    sandbox_start,
    scaling,
    servers,
    throughput,
    waiting,
)
from bench.measuring.idle import Shelf
from bench.measuring.places import Sqlite
from bench.measuring.report import Course, Report, Target, number, percentile
from bench.measuring.sandboxes import ours, rate
from bench.measuring.spawns import at_instant
from bench.measuring.stage import CLOCK, Stage, soon, stage
from bench.measuring.watch import MemoryWatch
from bench.stores import new_store
from crony.testing.service import ServiceProcess, running_service
from crony.worker.sandbox import Operator, open_sandbox

pytestmark = pytest.mark.xdist_group("bench-rows")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("scene"), slots=4) as made:
        yield made


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with running_service(tmp_path_factory.mktemp("service") / "home") as made:
        yield made


def test_each_second_has_a_sample_of_both_kinds(scene: Stage, tmp_path: Path) -> None:
    found = punctuality.measure(scene, tmp_path, seconds=2, name="each-second")
    assert {kind: len(samples) for kind, samples in found.items()} == {
        "late": 2,
        "bare": 2,
    }
    # No task begins before its instant.
    assert min(found["late"]) > 0


def test_all_that_are_due_at_once_have_begun(scene: Stage, tmp_path: Path) -> None:
    assert len(burst.ours(scene, 5, batch="burst")) == 5
    assert len(burst.bare(tmp_path, 5)) == 5


def test_runs_by_hand_are_timed_from_the_request(scene: Stage) -> None:
    body = {"name": "by-hand", "cron": "0 0 29 2 *", "task": {"command": list(CLOCK)}}
    scene.client.create_schedule(body)
    assert all(took > 0 for took in run_now.measure(scene, runs=2))


def test_a_backlog_is_worked_off_to_the_last(scene: Stage) -> None:
    assert throughput.through(scene, 6, batch="backlog") > 0


def test_all_that_came_due_under_overload_is_accounted_for(tmp_path: Path) -> None:
    with stage(tmp_path, slots=4) as scene:
        with MemoryWatch({"service": scene.service.process.pid}) as watch:
            runs = overload.drive(scene, seconds=1)
        assert {str(run["state"]) for run in runs} == {"succeeded"}
        report = Report("overload", "Overload", "python bench/overload.py")
        overload.judge(report, runs, seconds=1)
        assert [target.value for target in report.targets[:2]] == [0, 0]
        assert min(watch.course("Memory").series["service"]) > 1
        # One that is not there is missed.
        overload.judge(report, runs[1:], seconds=1)
        assert report.targets[3].value == 1


def test_sandboxes_start_without_a_service_and_pass_their_gate(tmp_path: Path) -> None:
    sandbox = open_sandbox(None, Operator(state_dir=tmp_path))
    assert rate(ours(sandbox), runs=4, threads=2) > 0
    assert len(sandbox_start.from_gate(sandbox, runs=2)) == 2
    sandbox.close()


def test_a_step_to_the_next_instant_takes_some_time() -> None:
    assert next_instant.step_time(next_instant.ours, "*/15 * * * *", "UTC") > 0


def test_bare_commands_that_say_nothing_are_no_result(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="0 of 2 commands"):
        at_instant(["/bin/true"], 2, instant=soon(0), folder=tmp_path, threads=1)


def test_requests_are_answered_each_once(service: ServiceProcess) -> None:
    made = api.create(service, 10, batch="one")
    assert len(made.took) == len({*made.bodies}) == 10
    assert len(api.create_many(service, 2, batch="many").took) == 2
    with pytest.raises(AssertionError, match="401"):
        api.drive(
            service.url, lambda _: api.request("GET", "/schedules"), clients=1, count=1
        )


def test_each_server_answers_both_applications(tmp_path: Path) -> None:
    # Those that need not be installed first.
    here = [server for server in servers.SERVERS if not server.installed]
    found = servers.measure(tmp_path / "home", here, repetitions=1, count=10)
    assert {servers.OURS, servers.PLAIN} <= set(here)
    assert set(found) == {
        (figure, server.title) for figure in servers.FIGURES for server in here
    }
    for taken in found.values():
        assert len(taken) == 1
        assert taken[0].per_second > 0
    # In ten milliseconds at least, of the few requests that there are.
    assert max(taken[0].microseconds for taken in found.values()) > 0


def test_each_server_has_a_new_store_and_another_begins_each_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes, order = [], []

    def round_of(
        server: servers.Server, home: Path, *, key: str, count: int
    ) -> dict[str, servers.Taken]:
        homes.append(sorted(path.name for path in home.iterdir()))
        (home / "used").touch()
        assert key == (home / "admin.key").read_text().strip()
        order.append(server)
        return {}

    monkeypatch.setattr(servers, "round_of", round_of)
    three = servers.SERVERS[:3]
    servers.measure(tmp_path / "home", three, repetitions=2, count=1)
    assert order == [*three, three[1], three[2], three[0]]
    assert homes == homes[:1] * 6


def test_a_server_that_does_not_start_is_no_result(tmp_path: Path) -> None:
    broken = servers.Server("none", ("gunicorn", "--no-such-option"), installed=False)
    with (
        pytest.raises(AssertionError, match="does not answer"),
        servers.serving(broken, servers.ECHO, home=tmp_path),
    ):
        pass


def test_workers_wait_and_the_one_of_the_queue_gets_the_run(
    service: ServiceProcess,
) -> None:
    workers = waiting.register(service, 3)
    found = uvloop.run(waiting.measure(service, workers, seconds=0.2, runs=2))
    assert len(found["ways"]) == 2
    assert found["memory"][0] > 1e6


def test_idle_schedules_are_there_and_one_runs_beside_them(tmp_path: Path) -> None:
    found = idle.measure(tmp_path, count=30, seconds=2)
    assert found.late
    assert set(found.requests) == {"create", "get", "list"}


def test_work_goes_on_after_a_worker_was_killed(tmp_path: Path) -> None:
    assert crash.kill_worker(tmp_path) > 0


def test_a_long_past_is_there_and_can_be_pruned(tmp_path: Path) -> None:
    place = Sqlite(tmp_path / "sqlite")
    with place.running(), new_store(place) as store:
        shelf = Shelf(store)
        shelf.sample()
        path = Path(place.url(1).removeprefix("sqlite:///"))
        history.remember(path)
        history.lengthen(path, 6_000)
        with sqlite3.connect(path) as looked:
            (count,) = looked.execute("SELECT count(*) FROM runs").fetchone()
        looked.close()
        assert count >= 6_000
        # Each step says so if it has not removed what it should.
        assert len(history.prune(shelf, steps=1)) == 1


def test_commands_are_timed_and_one_that_fails_is_no_result() -> None:
    assert cli.took(["/bin/true"], {}) > 0
    with pytest.raises(cli.subprocess.CalledProcessError):
        cli.took(["/bin/false"], {})


def test_a_floor_records_each_spawn(tmp_path: Path) -> None:
    assert beside.grouped_floor(tmp_path, 100, number=1) > 0


def test_a_row_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    report = Report("row", "A row", "python bench/row.py")
    report.add("ours", "/s").samples += [1.0, 3.0, 2.0]
    report.targets.append(Target("rate", 2.0, 3.0, at_least=True, unit="/s"))
    page, charts = tmp_path / "results.md", tmp_path / "charts"

    report.publish(page=page, charts=charts)
    first = page.read_text()
    report.publish(page=page, charts=charts)

    assert page.read_text() == first
    assert "| ours | /s | 1.00 | 2.00 | 3.00 |" in first
    assert "rate: 2.00 /s, wanted ≥ 3.00 /s: MISSED" in first
    assert "<svg" in (charts / "row.svg").read_text()


def test_what_was_watched_is_drawn_over_time(tmp_path: Path) -> None:
    report = Report("row", "A row", "python bench/row.py")
    report.add("ours", "/s").samples.append(1.0)
    report.course = Course("Memory", "MB", 60, {"service": [1.0, 3.0, 2.0]})
    page, charts = tmp_path / "results.md", tmp_path / "charts"
    report.publish(page=page, charts=charts)
    assert "![Memory](charts/row-course.svg)" in page.read_text()
    drawn = (charts / "row-course.svg").read_text()
    assert drawn.count("polyline") == 1
    assert "service: 2 MB at the end" in drawn


def test_figures_are_told_with_the_digits_that_mean_something() -> None:
    told = [number(value) for value in (0, 0.0123, 0.5, 12.34, 1234.5)]
    assert told == ["0", "0.0123", "0.50", "12.3", "1,234"]
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([5.0], 0.99) == 5


def test_an_hour_of_many_nodes_loses_nothing() -> None:
    load = scaling.Load(schedules=3600, period=3600, workers=10, wait=10)
    rates = scaling.Rates(made=100, passed=100, polls=10, writes=1000)
    assert sum(scaling.arrivals(load)) == pytest.approx(3600)
    parts = scaling.play(load, rates, nodes=2, shards=1)
    assert all(part.backlog < part.capacity for part in parts)
    assert scaling.needed(load, rates, within=1000, jitter=0) == (1, 1)
