"""What holds when the worker or the service is killed, stopped or cut off."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crony.client import Client
from crony.testing.service import ServiceProcess, start_service
from crony.testing.worker import WorkerProcess, running_worker, start_worker
from tests.integration.worker.stage import OVER, Found, Stage
from tests.integration.worker.witness import Witness


@pytest.fixture
def lease_ttl() -> str:
    """The shortest there is, for tests that wait for the end of one."""
    return "5s"


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """Nobody else's."""
    return Witness(tmp_path / "witness")


@pytest.fixture
def stage(service: ServiceProcess, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A queue with task uids of its own, by which tests count processes."""
    made = Stage(service, request.node.name)
    yield made
    made.close()


@pytest.fixture
def service(tmp_path: Path, lease_ttl: str) -> Iterator[ServiceProcess]:
    """A service of its own for each test: it may be killed."""
    running = start_service(tmp_path / "home", lease_ttl=lease_ttl, poll_wait="5s")
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture
def worker(
    service: ServiceProcess, stage: Stage, witness: Witness, tmp_path: Path
) -> Iterator[WorkerProcess]:
    """A worker whose tasks may write to the witness, and who runs nothing else."""
    with running_worker(
        service,
        tmp_path / "worker",
        name=stage.queue,
        **stage.settings(witness),
        spares="0",
    ) as running:
        yield running


def again(
    worker: WorkerProcess, service: ServiceProcess, stage: Stage, witness: Witness
) -> WorkerProcess:
    """Start a worker on the same home."""
    return start_worker(
        service, worker.home, name=worker.name, **stage.settings(witness), spares="0"
    )


def restarted(service: ServiceProcess) -> ServiceProcess:
    """Start a service that was killed again, at the same address."""
    return start_service(service.home, port=service.port, poll_wait="5s")


def ticking(witness: Witness) -> str:
    """Return a task that writes down ten times a second that it lives."""
    return (
        f"while :; do {witness.line('alive')}; "
        "/usr/bin/sleep 0.1 || /bin/sleep 0.1; done"
    )


def lives(witness: Witness, token: str) -> list[float]:
    """Return the instants at which an attempt was alive."""
    return [float(line[4]) for line in witness.seen("alive") if line[3] == token]


def until_alive(stage: Stage, witness: Witness, schedule: str) -> str:
    """Wait until the task runs; return its token."""
    stage.until(schedule, lambda _: bool(witness.seen("alive")))
    return witness.seen("alive")[0][3]


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody tells of."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def until_alive_again(stage: Stage, witness: Witness, schedule: str) -> Found:
    """Wait until a second attempt runs; return the run."""
    return stage.until(
        schedule, lambda _: len({line[3] for line in witness.seen("alive")}) > 1
    )


def tasks_of(stage: Stage) -> list[str]:
    """Return the names of the processes with one of this test's task uids."""
    return list(pids_of(stage).values())


def pids_of(stage: Stage) -> dict[int, str]:
    """Return the same by their numbers."""
    first, _, last = stage.task_uids.partition("-")
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            owner = process.stat().st_uid
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            # The dead whose parent has not looked yet are dead.
            if int(first) <= owner <= int(last) and state not in "ZX":
                found[int(process.name)] = (process / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_killed_worker_leaves_no_task_and_its_run_goes_on_elsewhere(
    stage: Stage, service: ServiceProcess, worker: WorkerProcess, witness: Witness
) -> None:
    schedule = stage.shell(ticking(witness), sandbox=witness.sandbox)
    token = until_alive(stage, witness, schedule)
    worker.kill()
    successor = again(worker, service, stage, witness)
    try:
        # It has waited until the old sandboxes were dead, so nothing of them lives.
        second = until_alive_again(stage, witness, schedule)
        assert [a["state"] for a in second["attempts"]] == ["lost", "running"]
        newer = str(second["attempts"][1]["token"])
        assert max(lives(witness, token)) < min(lives(witness, newer))
        stage.client.cancel_run(second["id"])
        stage.finished(schedule)
    finally:
        assert successor.stop() == 0
    assert tasks_of(stage) == []


def test_a_killed_worker_starts_nothing_that_was_only_prepared(
    stage: Stage, worker: WorkerProcess, witness: Witness
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=4)
    at = due.isoformat(timespec="milliseconds")
    schedules = [
        stage.shell(witness.line("start"), at=at, sandbox=witness.sandbox)
        for _ in range(4)
    ]
    until(lambda: tasks_of(stage).count("sh") == len(schedules))
    assert datetime.now(UTC) < due - timedelta(seconds=0.25)
    worker.kill()
    until(lambda: not tasks_of(stage))
    until(lambda: datetime.now(UTC) > due + timedelta(seconds=1))
    assert witness.seen("start") == []
    states = {stage.runs(schedule)[0]["state"] for schedule in schedules}
    assert states <= {"leased", "pending"}


def test_a_prepared_sandbox_that_dies_costs_its_run_nothing(
    stage: Stage, worker: WorkerProcess, witness: Witness
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=4)
    schedule = stage.shell(
        witness.line("start"),
        at=due.isoformat(timespec="milliseconds"),
        sandbox=witness.sandbox,
    )
    until(lambda: tasks_of(stage).count("sh") == 1)
    for pid in pids_of(stage):
        # The death of one of them ends others.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run = stage.finished(schedule)
    assert (run["state"], run["started_at"] is not None) == ("succeeded", True)
    assert [a["state"] for a in run["attempts"] if a["started_at"]] == ["succeeded"]
    assert len(witness.seen("start")) == 1
    assert "prepared sandbox is gone" in worker.said()


def test_a_run_without_the_memory_to_start_fails_and_says_so(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.shell("true", sandbox={"memory": "64K"}))
    assert (run["state"], run["reason"]) == ("failed", "start_failed")


def test_a_worker_that_is_stopped_longer_than_its_lease_never_runs_twice_at_once(
    stage: Stage, service: ServiceProcess, worker: WorkerProcess, witness: Witness
) -> None:
    schedule = stage.shell(ticking(witness), sandbox=witness.sandbox)
    token = until_alive(stage, witness, schedule)
    worker.process.send_signal(signal.SIGSTOP)
    lost = stage.until(
        schedule, lambda run: run["attempts"][0]["state"] == "lost", within=20
    )
    assert lost["state"] == "pending"
    assert tasks_of(stage) == []
    worker.process.send_signal(signal.SIGCONT)
    second = until_alive_again(stage, witness, schedule)
    newer = str(second["attempts"][1]["token"])
    assert max(lives(witness, token)) < min(lives(witness, newer))
    stage.client.cancel_run(second["id"])
    run = stage.finished(schedule)
    assert [a["state"] for a in run["attempts"]] == ["lost", "cancelled"]


@pytest.mark.parametrize("lease_ttl", ["60s"])
def test_the_end_of_a_run_outlives_the_service_and_the_worker(
    stage: Stage, service: ServiceProcess, worker: WorkerProcess, witness: Witness
) -> None:
    line = f"{witness.line('start')}; read line; {witness.line('end')}; echo done"
    fifo = Path(witness.directory) / "go"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    schedule = stage.shell(f"exec < {fifo}; {line}", sandbox=witness.sandbox)
    stage.in_state(schedule, "running")
    service.kill()
    fifo.write_text("go\n")
    outbox = worker.home / "worker" / worker.name / "outbox"
    until(lambda: bool(list(outbox.glob("*.json"))))
    worker.kill()
    service = restarted(service)
    try:
        successor = again(worker, service, stage, witness)
        try:
            # Long before its lease is over, on a busy machine too.
            run = stage.finished(schedule, within=30)
        finally:
            successor.stop()
    finally:
        service.stop()
    assert (run["state"], run["attempt"]) == ("succeeded", 1)
    assert len(witness.seen("start")) == len(witness.seen("end")) == 1
    assert list(outbox.iterdir()) == []


@pytest.mark.parametrize("lease_ttl", ["60s"])
def test_a_short_absence_of_the_service_is_not_noticed_by_tasks(
    stage: Stage, service: ServiceProcess, worker: WorkerProcess, witness: Witness
) -> None:
    fifo = Path(witness.directory) / "go"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    schedule = stage.shell(
        f"exec < {fifo}; echo up; read line; echo $line", sandbox=witness.sandbox
    )
    stage.in_state(schedule, "running")
    go = fifo.open("w")
    service.kill()
    service = restarted(service)
    try:
        with go:
            go.write("on\n")
        run = stage.finished(schedule, within=15)
        log = stage.log(run)
    finally:
        worker.stop()
        service.stop()
    assert (run["state"], run["attempt"], log) == ("succeeded", 1, "up\non\n")


def test_a_worker_that_is_cut_off_stops_its_tasks_before_their_lease_is_over(
    stage: Stage, service: ServiceProcess, worker: WorkerProcess, witness: Witness
) -> None:
    task = f"trap '{witness.line('asked')}; exit' TERM; {ticking(witness)}"
    schedule = stage.shell(task, sandbox=witness.sandbox)
    until_alive(stage, witness, schedule)
    renewed = _uptime()
    processes = [service.process.pid, *children_of(service.process.pid)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: bool(witness.seen("asked")))
        asked = float(witness.seen("asked")[0][4])
        # The lease was renewed at most a quarter of its time after that.
        assert asked < renewed + 5 * 1.25 - 2
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    run = stage.until(schedule, lambda run: run["attempts"][0]["state"] == "lost")
    assert run["state"] not in OVER
    stage.client.cancel_run(run["id"])


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def children_of(pid: int) -> list[int]:
    """Return the processes that any thread of a process started."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def test_a_worker_without_its_watchdog_ends_for_want_of_a_safeguard(
    stage: Stage, worker: WorkerProcess, witness: Witness
) -> None:
    schedule = stage.shell(ticking(witness), sandbox=witness.sandbox)
    until_alive(stage, witness, schedule)
    (watchdog,) = (
        pid
        for pid in children_of(worker.process.pid)
        if b"watchdog.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(watchdog, signal.SIGKILL)
    assert worker.process.wait(20) == 6
    assert tasks_of(stage) == []


def test_a_worker_that_was_deleted_ends_and_says_so(
    stage: Stage, worker: WorkerProcess
) -> None:
    (found,) = stage.client.each_worker()
    stage.client.delete_worker(str(found["id"]))
    assert worker.process.wait(20) not in (0, None)
    assert "worker must end" in worker.said()


def test_a_second_worker_with_the_same_credentials_ends_the_first(
    stage: Stage,
    service: ServiceProcess,
    worker: WorkerProcess,
    witness: Witness,
    tmp_path: Path,
) -> None:
    schedule = stage.shell(ticking(witness), sandbox=witness.sandbox)
    until_alive(stage, witness, schedule)
    place = Path("worker") / worker.name / "credentials.json"
    kept = json.loads((worker.home / place).read_text())
    thief = Client(service.url, key=kept["key"])
    body = {"session": "ses_other", "seq": 1, "slots": 0, "wait": "0s", "holding": []}
    thief.lease(kept["id"], body)
    thief.close()
    assert worker.process.wait(20) == 1
    assert "took over" in worker.said()
    assert tasks_of(stage) == []


def test_the_same_worker_twice_on_a_machine_is_refused(
    stage: Stage, service: ServiceProcess, worker: WorkerProcess, witness: Witness
) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        again(worker, service, stage, witness)
    assert stage.finished(stage.shell("true"))["state"] == "succeeded"
