"""Deadlines, preemption and overlap, as tasks on a real worker meet them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crony.testing.service import ServiceProcess
from crony.testing.worker import WorkerProcess, running_worker
from tests.integration.worker.stage import Stage
from tests.integration.worker.witness import Witness

pytestmark = pytest.mark.xdist_group("worker-policy")

_POLITE = 'trap "echo asked; exit 0" TERM; echo up; while :; do sleep 0.05; done'


@pytest.fixture
def narrow(
    service: ServiceProcess, own_stage: Stage, witness: Witness, tmp_path: Path
) -> Iterator[Stage]:
    """The queue of a worker with one slot."""
    settings = own_stage.settings(witness) | {"slots": "1"}
    home = tmp_path / "worker"
    with running_worker(service, home, name=own_stage.queue, **settings):
        yield own_stage


def test_a_preemptible_run_gives_way_and_goes_on_later(narrow: Stage) -> None:
    first = f'if [ "$CRONY_ATTEMPT" = 1 ]; then {_POLITE}; fi; echo again'
    humble = narrow.shell(first, preemptible=True, priority=-1)
    narrow.printed(humble, "up")
    urgent = narrow.finished(narrow.shell("echo urgent", priority=5))
    assert urgent["state"] == "succeeded"
    run = narrow.finished(humble)
    assert (run["state"], run["attempt"]) == ("succeeded", 2)
    one, two = run["attempts"]
    assert (one["state"], one["reason"]) == ("preempted", "preempted")
    assert (one["counted"], two["counted"]) == (False, True)
    assert urgent["started_at"] < two["started_at"]
    assert narrow.client.get_log(run["id"], 1) == b"up\nasked\n"


def test_a_run_that_must_not_be_preempted_is_waited_for(narrow: Stage) -> None:
    firm = narrow.shell(f"{_POLITE}")
    narrow.printed(firm, "up")
    urgent = narrow.shell("echo urgent", priority=100)
    # Another that may go does not exist: the deadline of a third passes meanwhile.
    narrow.finished(narrow.shell("true", deadline="2s"))
    assert narrow.in_state(urgent, "pending")["attempts"] == []
    run = narrow.in_state(firm, "running")
    narrow.client.cancel_run(run["id"])
    assert narrow.finished(urgent)["state"] == "succeeded"


def test_a_preempted_run_that_is_cancelled_does_not_come_back(narrow: Stage) -> None:
    stubborn = 'trap "echo asked" TERM; echo up; while :; do sleep 0.05; done'
    humble = narrow.shell(stubborn, preemptible=True, priority=-1, grace="4s")
    narrow.printed(humble, "up")
    urgent = narrow.shell("echo urgent", priority=5)
    run = narrow.in_state(humble, "stopping")
    assert run["reason"] == "preempted"
    narrow.client.cancel_run(run["id"])
    run = narrow.finished(humble)
    assert (run["state"], run["reason"]) == ("cancelled", "user")
    assert narrow.finished(urgent)["state"] == "succeeded"
    assert len(narrow.client.get_run(run["id"])["attempts"]) == 1  # type: ignore[arg-type]


def test_a_run_that_goes_on_at_its_deadline_is_stopped(
    stage: Stage, worker: WorkerProcess
) -> None:
    line = f'echo "by $CRONY_DEADLINE"; {_POLITE}'
    run = stage.finished(stage.shell(line, deadline="3s"))
    assert (run["state"], run["reason"]) == ("timed_out", "deadline")
    assert run["error"] == "stopped at its deadline"
    assert stage.log(run) == f"by {run['deadline_at']}\nup\nasked\n"
    assert run["finished_at"] >= run["deadline_at"]


def test_a_task_without_a_deadline_finds_none(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.shell('echo "by <$CRONY_DEADLINE>"'))
    assert (stage.log(run), run["deadline_at"]) == ("by <>\n", None)


def test_a_run_that_found_no_slot_by_its_deadline_never_starts(
    narrow: Stage, witness: Witness
) -> None:
    busy = narrow.shell(_POLITE)
    narrow.printed(busy, "up")
    late = narrow.shell(
        witness.line("late"), deadline="1s", sandbox=witness.sandbox, priority=5
    )
    run = narrow.finished(late)
    assert (run["state"], run["reason"]) == ("expired", "deadline")
    assert run["attempts"] == []
    narrow.client.cancel_run(narrow.in_state(busy, "running")["id"])
    assert narrow.finished(narrow.shell("true"))["state"] == "succeeded"
    assert witness.seen("late") == []


def test_a_later_occurrence_replaces_the_earlier_run(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell(_POLITE, every="3s", on_overlap="replace")
    run = stage.finished(schedule)
    assert (run["state"], run["reason"]) == ("cancelled", "replaced")
    assert stage.log(run) == "up\nasked\n"
    stage.until(
        schedule, lambda _: [it["state"] for it in stage.runs(schedule)][1] == "running"
    )
    stage.client.pause_schedule(schedule)
    second = stage.runs(schedule)[1]
    assert second["started_at"] >= second["scheduled_for"] > run["scheduled_for"]
    stage.client.cancel_run(second["id"])


def test_of_an_attempts_output_as_much_is_kept_as_the_policy_says(
    stage: Stage, worker: WorkerProcess
) -> None:
    line = "echo begin; yes | head -c 500000; echo end"
    run = stage.finished(stage.shell(line, retention={"log": "4K"}))
    assert run["state"] == "succeeded"
    log = run["attempts"][0]["log"]
    assert log["kept"] <= 4 << 10
    assert log["bytes"] == 500_000 + len("begin\nend\n")
    text = stage.log(run)
    assert text.startswith("begin\ny\n")
    assert text.endswith("y\nend\n")
