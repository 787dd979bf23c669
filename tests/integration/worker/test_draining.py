"""A worker that is told to end."""

import signal
import time

import pytest

from crony.testing.worker import WorkerProcess
from tests.integration.worker.stage import Stage

pytestmark = pytest.mark.xdist_group("worker-draining")

_STUBBORN = 'trap "echo asked" TERM; echo up; while :; do sleep 0.05; done'


def test_sigterm_lets_tasks_finish_and_starts_nothing_new(
    own_stage: Stage, own_worker: WorkerProcess
) -> None:
    running = own_stage.shell("echo up; sleep 1.5; echo done")
    own_stage.printed(running, "up")
    own_worker.process.send_signal(signal.SIGTERM)
    waiting = own_stage.shell("true", every="1s")
    assert own_worker.process.wait(20) == 0
    run = own_stage.finished(running, within=1)
    assert (run["state"], own_stage.log(run)) == ("succeeded", "up\ndone\n")
    states = {run["state"] for run in own_stage.runs(waiting)}
    assert states <= {"pending"}


def test_a_second_sigterm_stops_at_once_and_the_run_goes_elsewhere(
    own_stage: Stage, own_worker: WorkerProcess
) -> None:
    schedule = own_stage.shell(_STUBBORN)
    own_stage.printed(schedule, "up")
    for _ in range(2):
        own_worker.process.send_signal(signal.SIGTERM)
        # Two of a signal that wait together would be one.
        _until_said(own_worker, "draining")
    assert own_worker.process.wait(10) == 130
    run = own_stage.in_state(schedule, "pending", within=3)
    assert [a["state"] for a in run["attempts"]] == ["lost"]
    assert not run["attempts"][0]["counted"]


def _until_said(worker: WorkerProcess, word: str) -> None:
    while word not in worker.said():
        time.sleep(0.01)
