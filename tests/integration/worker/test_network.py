"""A worker whose way to the service is bad: nothing is lost, nothing runs twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crony.testing.service import ServiceProcess
from crony.testing.worker import running_worker
from tests.integration.worker.proxy import Mode, Way, bad_way
from tests.integration.worker.stage import Stage
from tests.integration.worker.witness import Witness

pytestmark = pytest.mark.xdist_group("worker-network")


@pytest.fixture
def way(
    service: ServiceProcess, own_stage: Stage, witness: Witness, tmp_path: Path
) -> Iterator[Way]:
    """A worker behind a way that can be made bad."""
    witness.forget()
    with (
        bad_way(service) as made,
        running_worker(
            made.service,
            tmp_path / "worker",
            name=own_stage.queue,
            **own_stage.settings(witness),
        ),
    ):
        yield made
        made.modes.clear()


def test_a_report_waits_until_the_service_is_available(
    own_stage: Stage, way: Way
) -> None:
    schedule = own_stage.shell("echo up; sleep 0.3; echo done")
    own_stage.in_state(schedule, "running")
    way.modes["/reports"] = Mode.UNAVAILABLE
    own_stage.until(schedule, lambda _: way.spoilt >= 3)
    assert own_stage.runs(schedule)[0]["state"] == "running"
    way.modes.clear()
    run = own_stage.finished(schedule)
    assert (run["state"], run["attempt"]) == ("succeeded", 1)
    assert own_stage.log(run) == "up\ndone\n"


def test_a_run_whose_confirm_was_not_answered_starts_once(
    own_stage: Stage, way: Way, witness: Witness
) -> None:
    way.modes["/reports"] = Mode.LOSE_ANSWER
    schedule = own_stage.shell(witness.line("start"), sandbox=witness.sandbox)
    own_stage.in_state(schedule, "running")
    way.modes.clear()
    run = own_stage.finished(schedule)
    assert (run["state"], run["attempt"]) == ("succeeded", 1)
    assert len(witness.seen("start")) == 1


def test_a_report_that_was_not_answered_is_repeated_and_counts_once(
    own_stage: Stage, way: Way
) -> None:
    schedule = own_stage.shell(
        "echo once; sleep 0.3; exit 4", retries={"max": 1, "backoff": "1s"}
    )
    own_stage.in_state(schedule, "running")
    way.modes["/reports"] = Mode.LOSE_ANSWER
    own_stage.until(
        schedule, lambda run: run["attempts"][0]["state"] == "failed" and way.spoilt > 1
    )
    way.modes.clear()
    run = own_stage.finished(schedule)
    assert run["state"] == "failed"
    assert [a["exit_code"] for a in run["attempts"]] == [4, 4]
    assert own_stage.client.get_log(run["id"], 1) == b"once\n"


def test_leases_whose_answer_was_lost_are_offered_again(
    own_stage: Stage, way: Way, witness: Witness
) -> None:
    way.modes["/leases"] = Mode.LOSE_ANSWER
    schedule = own_stage.shell(witness.line("start"), sandbox=witness.sandbox)
    own_stage.until(schedule, lambda run: run["attempts"] != [] and way.spoilt >= 2)
    way.modes.clear()
    run = own_stage.finished(schedule)
    assert run["state"] == "succeeded"
    assert len(witness.seen("start")) == 1


def test_a_report_that_the_service_breaks_on_holds_up_no_other(
    own_stage: Stage, way: Way
) -> None:
    lines = [f"echo up; sleep 0.5; echo {number}" for number in range(4)]
    schedules = [own_stage.shell(line) for line in lines]
    runs = [own_stage.in_state(schedule, "running") for schedule in schedules]
    way.poison = str(runs[0]["id"]).encode()
    way.modes["/reports"] = Mode.BREAK
    for number, schedule in enumerate(schedules[1:], 1):
        run = own_stage.finished(schedule)
        assert run["state"] == "succeeded"
        assert own_stage.log(run) == f"up\n{number}\n"
    assert own_stage.runs(schedules[0])[0]["state"] == "running"
    way.modes.clear()
    run = own_stage.finished(schedules[0])
    assert (run["state"], run["attempt"]) == ("succeeded", 1)
    assert own_stage.log(run) == "up\n0\n"


def test_a_report_that_is_refused_is_told_without_its_details(
    own_stage: Stage, way: Way
) -> None:
    way.poison, way.status = b'"usage"', 413
    way.modes["/reports"] = Mode.BREAK
    run = own_stage.finished(own_stage.shell("exit 3"))
    assert (run["state"], run["exit_code"]) == ("failed", 3)
    assert "did not take the full report" in run["error"]


def test_a_lease_that_cannot_be_read_is_reported_and_the_next_one_runs(
    own_stage: Stage, way: Way
) -> None:
    way.modes["/leases"] = Mode.SPOIL
    run = own_stage.finished(own_stage.shell("true"))
    assert (run["state"], run["reason"]) == ("failed", "start_failed")
    assert "does not understand the lease: max_runtime" in run["error"]
    way.modes.clear()
    assert own_stage.finished(own_stage.shell("true"))["state"] == "succeeded"


def test_a_run_that_is_stopping_makes_no_worker_ask_in_circles(
    own_stage: Stage, way: Way
) -> None:
    schedule = own_stage.shell(
        'trap "echo asked" TERM; echo up; while :; do sleep 0.05; done', grace="2s"
    )
    run = own_stage.printed(schedule, "up")
    before = sum(n for path, n in way.seen.items() if path.endswith("/leases"))
    own_stage.client.cancel_run(run["id"])
    assert own_stage.finished(schedule)["state"] == "cancelled"
    after = sum(n for path, n in way.seen.items() if path.endswith("/leases"))
    # The answer that told it, one poll that waits, one more for the slot.
    assert after - before <= 3
