"""Nothing starts that was not released, and nothing outlives its run."""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from crony.worker.sandbox import cgroups, processes
from tests.integration.sandbox.attacks import attack
from tests.integration.sandbox.conftest import ANY, ROOT, started_stand
from tests.integration.sandbox.stand import Stand

#: Prepared runs of one killed worker.
MANY = 25


def marked(marker: str) -> list[int]:
    """List the processes with a marker in their command lines."""
    found = []
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit() and marker in Path(f"/proc/{name}/cmdline").read_text():
                found.append(int(name))
    return found


def until(holds: Callable[[], bool]) -> bool:
    """Wait for what other processes bring about; there is no event to wait for."""
    end = time.monotonic() + 20
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def marker() -> str:
    """A word for command lines by which a test finds its processes."""
    return f"8{os.getpid()}{time.monotonic_ns() % 10**9}"


@pytest.fixture(params=ANY)
def worker(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Start a worker of its own, which the test may kill."""
    with tempfile.TemporaryDirectory(prefix="crony-death-", dir="/var/tmp") as base:
        os.chmod(base, 0o755)
        stand = started_stand(request.param, Path(base) / "state")
        yield stand
        with suppress(ProcessLookupError):
            os.kill(stand.process.pid, signal.SIGCONT)
        stand.close()


def test_a_killed_worker_starts_none_of_its_prepared_runs(
    worker: Stand, marker: str
) -> None:
    proof = f"/var/tmp/crony-started-{marker}"
    argv = ["/bin/sh", "-c", f"echo x >>{proof}"]
    prepared = [
        worker.tell("prepare", key=f"{marker}-{number}", argv=argv)["outer_pid"]
        for number in range(MANY)
    ]
    assert all(map(alive, prepared))
    worker.kill()
    assert until(lambda: not any(map(alive, prepared)))
    assert not Path(proof).exists()


def test_a_worker_killed_while_it_prepares_starts_nothing(
    worker: Stand, marker: str
) -> None:
    proof = Path(f"/var/tmp/crony-started-{marker}")
    assert worker.process.stdin is not None
    for number in range(MANY):
        request = {
            "do": "prepare",
            "key": f"run-{number}",
            "watched": True,
            "argv": ["/bin/sh", "-c", f"echo x >>{proof}"],
        }
        worker.process.stdin.write(json.dumps(request) + "\n")
    worker.process.stdin.flush()
    assert until(lambda: len(_started_by(worker.process.pid)) > MANY // 3)
    being_made = _started_by(worker.process.pid)
    worker.kill()
    assert until(lambda: not any(map(alive, being_made)))
    assert not proof.exists()


def _started_by(pid: int) -> list[int]:
    """List the outermost processes of a worker's runs: each leads its session."""
    found = []
    for child in processes.every():
        with suppress(OSError):
            if processes.parent_of(child) == pid and os.getsid(child) == child:
                line = Path(f"/proc/{child}/cmdline").read_bytes()
                found += [] if b"watchdog.py" in line else [child]
    return found


def test_a_discarded_run_leaves_nothing(any_stand: Stand, marker: str) -> None:
    any_stand.tell("discard", key=any_stand.prepare("/bin/sh", "-c", f": {marker}"))
    before = any_stand.tell("fds")["count"]
    for _ in range(5):
        any_stand.tell("discard", key=any_stand.prepare("/bin/sh", "-c", f": {marker}"))
    assert any_stand.tell("fds")["count"] == before
    assert not marked(marker)
    assert not left_over(any_stand)


def test_a_finished_run_leaves_nothing(any_stand: Stand) -> None:
    any_stand.run("/bin/sh", "-c", "echo x >file")
    before = any_stand.tell("fds")["count"]
    for _ in range(5):
        any_stand.run("/bin/sh", "-c", "echo x >file")
    assert any_stand.tell("fds")["count"] == before
    assert not left_over(any_stand)


def left_over(worker: Stand) -> list[str]:
    """List what runs left in the worker's state and in its control groups."""
    found = [str(path) for path in worker.state_dir.rglob("run-*")]
    return found + left_in_groups(worker)


def left_in_groups(worker: Stand) -> list[str]:
    """List the control groups of a worker's runs."""
    found = []
    for group in groups_of(worker):
        with suppress(FileNotFoundError):
            found += [str(run) for run in group.iterdir() if run.name[:4] == "run-"]
    return found


def groups_of(worker: Stand) -> list[Path]:
    """List a worker's own directories among the control groups."""
    found: list[Path] = []
    for kind, controllers in (
        ("cgroup", ("memory", "pids", "cpu")),
        ("cgroup2", ("",)),
    ):
        for where, options in cgroups.mounts(kind):
            for controller in controllers:
                if controller in options or not controller:
                    parent = where / cgroups.own_path(controller)
                    names = [name.split("-") for name in os.listdir(parent)]
                    found += [
                        parent / "-".join(name)
                        for name in names
                        if name[0] == "crony" and str(worker.process.pid) in name
                    ]
    return found


_HOLD = "import signal, sys; print('here', flush=True); signal.pause()"


def test_the_watchdog_kills_the_runs_of_a_killed_worker(
    worker: Stand, marker: str
) -> None:
    _, watchdog = started(worker, marker, seconds=600)
    worker.kill()
    assert until(lambda: not marked(marker))
    assert until(lambda: not alive(watchdog))


def test_the_watchdog_kills_the_runs_of_a_stopped_worker_in_time(
    worker: Stand, marker: str
) -> None:
    begun = time.monotonic()
    _, watchdog = started(worker, marker, seconds=1.5)
    worker.process.send_signal(signal.SIGSTOP)
    assert marked(marker)
    assert until(lambda: not running(marker))
    assert 1.4 < time.monotonic() - begun < 3
    assert alive(watchdog)


def test_an_extended_lease_is_kept(any_stand: Stand, marker: str) -> None:
    key, _ = started(any_stand, marker, seconds=0.6)
    any_stand.tell("extend", key=key, seconds=600)
    await_another_end(any_stand, seconds=0.8)
    assert running(marker)
    any_stand.tell("kill", key=key)
    assert any_stand.wait(key).signal == "SIGKILL"


def test_what_was_forgotten_is_not_killed(any_stand: Stand, marker: str) -> None:
    key, _ = started(any_stand, marker, seconds=0.6)
    any_stand.tell("forget", key=key)
    await_another_end(any_stand, seconds=0.8)
    assert running(marker)
    any_stand.tell("kill", key=key)
    any_stand.wait(key)


def await_another_end(stand: Stand, *, seconds: float) -> None:
    """See the watchdog end another run, so that earlier instants have passed."""
    key = stand.prepare("/bin/sleep", "600", slot=2)
    stand.tell("watch", key=key, seconds=seconds)
    stand.tell("release", key=key)
    assert stand.wait(key).signal == "SIGKILL"


def test_the_watchdog_does_not_hear_the_signals_of_a_terminal(
    any_stand: Stand, marker: str
) -> None:
    key, watchdog = started(any_stand, marker, seconds=600)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(watchdog, number)
    any_stand.tell("extend", key=key, seconds=600)
    assert alive(watchdog)
    any_stand.tell("kill", key=key)
    any_stand.wait(key)


def started(stand: Stand, marker: str, *, seconds: float) -> tuple[str, int]:
    """Start a run that is watched; give its key and the watchdog's pid."""
    key = stand.prepare(sys.executable, "-c", _HOLD, marker)
    watchdog: int = stand.tell("watch", key=key, seconds=seconds)["watchdog"]
    stand.tell("release", key=key)
    assert stand.tell("read", key=key)["out"] == "here\n"
    return key, watchdog


def running(marker: str) -> bool:
    """Tell whether a marked process is more than a zombie."""
    return any(alive(pid) for pid in marked(marker))


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    return False


class TestOutliving:
    def test_a_daemon_outlives_its_run_where_nothing_confines(
        self, unconfined: Stand, marker: str
    ) -> None:
        given = json.dumps({"name": marker})
        unconfined.run(sys.executable, "-c", attack("outlive"), given)
        # The kernel shows its new command line a moment after its ``exec``.
        assert until(lambda: running(marker))
        for pid in marked(marker):
            os.kill(pid, signal.SIGKILL)

    def test_a_daemon_does_not_outlive_its_run(
        self, confined: Stand, marker: str
    ) -> None:
        given = json.dumps({"name": marker})
        result = confined.run(sys.executable, "-c", attack("outlive"), given)
        assert result.exit_code == 0
        assert not marked(marker)

    def test_a_daemon_that_keeps_its_environment_does_not_outlive_its_run(
        self, any_stand: Stand, marker: str
    ) -> None:
        result = any_stand.run(sys.executable, "-c", attack("outlive"), "{}", marker)
        assert result.exit_code == 0
        assert not marked(marker)

    def test_a_grandchild_that_holds_the_output_does_not_delay_the_end(
        self, any_stand: Stand, marker: str
    ) -> None:
        result = any_stand.run("/bin/sh", "-c", f"sleep 100{marker} & echo over")
        assert (result.exit_code, result.out) == (0, "over\n")
        assert not marked(f"100{marker}")

    def test_what_a_killed_run_forked_dies_with_it(
        self, any_stand: Stand, marker: str
    ) -> None:
        code = f"sleep 100{marker} & sleep 200{marker} & echo here; wait"
        key = any_stand.prepare("/bin/sh", "-c", code)
        any_stand.tell("release", key=key)
        any_stand.tell("read", key=key)
        any_stand.tell("kill", key=key)
        assert any_stand.wait(key).signal == "SIGKILL"
        assert not marked(marker)

    def test_killing_the_outermost_process_kills_the_rest(
        self, confined: Stand, marker: str
    ) -> None:
        code = f"sleep 100{marker} & echo here; wait"
        asked = {"argv": ["/bin/sh", "-c", code], "slot": 7}
        outer = confined.tell("prepare", key=marker, **asked)["outer_pid"]
        confined.tell("release", key=marker)
        confined.tell("read", key=marker)
        assert marked(marker)
        os.kill(outer, signal.SIGKILL)
        assert confined.wait(marker).signal == "SIGKILL"
        assert not marked(marker)


_MESS = """
import os
os.makedirs("a/b/c"); open("a/b/c/file", "w").close()
os.chmod("a/b/c", 0); os.chmod("a/b", 0o111)
os.symlink("/usr", "link"); os.symlink("loop", "loop"); os.mkfifo("pipe")
open("n" * 255, "w").close(); open("new\\nline", "w").close()
os.mkdir(".crony-1"); open(".crony-2", "w").close(); os.makedirs(".crony-3/x")
os.mkdir("deep"); os.chdir("deep")
for _ in range(300):
    os.mkdir("d" * 200); os.chdir("d" * 200)
os.chmod(".", 0)
print("done")
"""


def test_whatever_is_left_in_a_workspace_is_removed(any_stand: Stand) -> None:
    result = any_stand.python(_MESS)
    assert result.out == "done\n", result.err
    assert not left_over(any_stand)


def test_a_workspace_removed_by_its_task_is_no_trouble(any_stand: Stand) -> None:
    code = "import os, shutil; shutil.rmtree(os.getcwd(), ignore_errors=True); print(1)"
    assert any_stand.python(code).out == "1\n"
    assert not left_over(any_stand)


def test_nothing_behind_a_link_is_removed(unconfined: Stand) -> None:
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o777)
        kept = Path(base) / "kept"
        kept.write_text("x")
        unconfined.run("/bin/ln", "-s", base, "link")
        assert kept.exists()


if ROOT:

    def test_the_groups_of_a_dead_worker_are_removed_by_the_next_one(
        tmp_path: Path,
    ) -> None:
        first = Stand("full", tmp_path / "first", plain=False)
        first.tell("discard", key=first.prepare("/bin/true"))
        first.kill()
        first.close()
        assert groups_of(first)
        second = Stand("full", tmp_path / "second", plain=False)
        second.close()
        assert not groups_of(first)
