"""Runs that are stopped: by people, by their limits, by the worker's end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from crony.testing.worker import WorkerProcess
from tests.integration.worker.stage import Stage
from tests.integration.worker.witness import Witness

pytestmark = pytest.mark.xdist_group("worker-stopping")

#: Runs until it is told to end, and says when it is.
_POLITE = 'trap "echo asked; exit 7" TERM; echo up; while :; do sleep 0.05; done'
_STUBBORN = 'trap "echo asked" TERM; echo up; while :; do sleep 0.05; done'


def test_a_running_task_is_cancelled_at_once_and_may_clean_up(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell(_POLITE)
    run = stage.printed(schedule, "up")
    stage.client.cancel_run(run["id"])
    run = stage.finished(schedule, within=5)
    assert (run["state"], run["reason"], run["exit_code"]) == ("cancelled", "user", 7)
    assert stage.log(run) == "up\nasked\n"


def test_a_task_that_ignores_the_request_is_killed_after_its_grace(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell(_STUBBORN, grace="500ms")
    run = stage.printed(schedule, "up")
    stage.client.cancel_run(run["id"])
    run = stage.finished(schedule, within=10)
    assert (run["state"], run["signal"]) == ("cancelled", "SIGKILL")
    assert "asked" in stage.log(run)


def test_a_task_over_its_max_runtime_is_timed_out(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.shell(_STUBBORN, max_runtime="1s", grace="500ms"))
    assert (run["state"], run["reason"]) == ("timed_out", "max_runtime")
    assert run["error"] == "stopped after its max_runtime of 1s"
    assert "asked" in stage.log(run)


def test_an_offer_that_is_cancelled_never_starts(
    stage: Stage, worker: WorkerProcess, witness: Witness
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=4)
    schedule = stage.shell(
        witness.line("start"),
        at=due.isoformat(timespec="milliseconds"),
        sandbox=witness.sandbox,
    )
    run = stage.in_state(schedule, "leased")
    stage.client.cancel_run(run["id"])
    # Another run at the same instant shows that it has passed.
    other = stage.shell("true", at=due.isoformat(timespec="milliseconds"))
    assert stage.finished(other)["state"] == "succeeded"
    assert stage.client.get_run(run["id"])["state"] == "cancelled"
    assert witness.seen("start") == []


def test_a_failed_run_is_tried_again_as_often_as_it_may(
    stage: Stage, worker: WorkerProcess
) -> None:
    retries = {"max": 2, "backoff": "200ms", "randomize": False}
    run = stage.finished(stage.shell("echo try; exit 1", retries=retries))
    assert run["state"] == "failed"
    assert [attempt["attempt"] for attempt in run["attempts"]] == [1, 2, 3]
    tokens = [attempt["token"] for attempt in run["attempts"]]
    assert tokens == sorted(set(tokens))
    for attempt in (1, 2, 3):
        assert stage.client.get_log(run["id"], attempt) == b"try\n"


def test_output_is_seen_while_the_task_runs(
    stage: Stage, worker: WorkerProcess
) -> None:
    line = "echo one; sleep 0.4; echo two; sleep 0.4; echo three"
    run = stage.in_state(stage.shell(line), "running")
    pieces = [piece.decode() for piece in stage.client.follow_log(run["id"])]
    assert "".join(pieces) == "one\ntwo\nthree\n"
    assert len(pieces) > 1


def test_a_flood_of_output_stops_nothing_and_is_bounded(
    stage: Stage, worker: WorkerProcess
) -> None:
    line = "echo begin; yes | head -c 50000000; echo end"
    run = stage.finished(stage.shell(line), within=60)
    assert run["state"] == "succeeded"
    log = run["attempts"][0]["log"]
    assert log["kept"] <= 1 << 20
    assert log["bytes"] == 50_000_000 + len("begin\nend\n")
    text = stage.log(run)
    assert text.startswith("begin\ny\n")
    assert text.endswith("y\nend\n")


def test_a_steady_schedule_runs_each_occurrence_once_and_on_time(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell("true", every="1s")
    stage.until(schedule, lambda _: len(_ended(stage, schedule)) >= 4)
    stage.client.pause_schedule(schedule)
    ended = _ended(stage, schedule)
    assert {run["state"] for run in ended} == {"succeeded"}
    assert {run["attempt"] for run in ended} == {1}
    for one, other in pairwise(run["scheduled_for"] for run in ended):
        assert one < other
    # Prepared ahead, so that even a busy machine starts it soon after.
    late = sorted(float(run["lateness"][:-1]) for run in ended[1:])
    assert late[0] < 0.1


def test_a_run_that_waited_for_another_is_late_by_that_much(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell("sleep 1", every="1h")
    stage.in_state(schedule, "running")
    second = stage.client.run_schedule(schedule)
    stage.until(schedule, lambda _: bool(stage.runs(schedule)[-1]["finished_at"]))
    run = stage.client.get_run(str(second["id"]))
    assert run["state"] == "succeeded"
    assert float(str(run["lateness"])[:-1]) > 0.5


def _ended(stage: Stage, schedule: str) -> list[dict[str, str]]:
    return [run for run in stage.runs(schedule) if run["finished_at"]]


def test_the_credentials_are_their_owners_alone(worker: WorkerProcess) -> None:
    place = Path(worker.home) / "worker" / worker.name
    assert (place / "credentials.json").stat().st_mode & 0o077 == 0
    assert place.stat().st_mode & 0o077 == 0
    assert "crony_" not in worker.said()
