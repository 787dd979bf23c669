"""Which level is opened, what proves it, and who else may have one open."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crony import errors
from crony.worker.sandbox import (
    Command,
    Limits,
    Operator,
    Watchdog,
    first,
    open_sandbox,
    profile,
    seccomp,
    uids,
)
from tests.integration.sandbox.conftest import ROOT
from tests.integration.sandbox.stand import Stand


def test_the_best_level_is_opened_when_none_is_named(tmp_path: Path) -> None:
    stand = Stand(None, tmp_path / "state", plain=False)
    assert stand.level in {"full", "namespaces"}
    if ROOT:
        assert stand.level == "full"
    stand.close()


def test_a_level_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingSafeguard, match="'strong' is no level"):
        open_sandbox("strong", Operator(state_dir=tmp_path))


def test_a_profile_that_leaks_does_not_pass_the_self_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = profile.options

    def leaking(*given: Any, **more: Any) -> list[str]:
        made = sound(*given, **more)
        assert made[-2:] == ["--remount-ro", "/"]
        return made[:-2]

    monkeypatch.setattr(profile, "options", leaking)
    with pytest.raises(errors.MissingSafeguard, match="wrote in /"):
        open_sandbox(None, Operator(state_dir=tmp_path / "state"))


def test_two_may_be_open_beside_each_other(tmp_path: Path) -> None:
    first = Stand(None, tmp_path / "state", plain=False)
    second = open_sandbox(None, Operator(state_dir=tmp_path / "state"))
    second.close()
    assert first.run("/bin/cat", "/etc/passwd").exit_code == 0
    first.close()


def test_nothing_is_left_in_the_state_of_a_closed_sandbox(tmp_path: Path) -> None:
    for level in (None, "landlock", "none"):
        open_sandbox(level, Operator(state_dir=tmp_path / "state")).close()
        assert list((tmp_path / "state").iterdir()) == []


def test_what_a_dead_worker_left_is_removed_by_the_next(tmp_path: Path) -> None:
    first = Stand("none", tmp_path / "state", plain=False)
    first.prepare("/bin/cat", files={"file": "x"})
    first.kill()
    first.close()
    assert list((tmp_path / "state").glob("workspaces-*/run-*/file"))
    open_sandbox("none", Operator(state_dir=tmp_path / "state")).close()
    assert list((tmp_path / "state").iterdir()) == []


if ROOT:

    def test_root_is_never_a_task_uid() -> None:
        for wrong in (range(5), range(0), range(10, 0, -1)):
            with pytest.raises(errors.MissingSafeguard):
                uids.task_uids(wrong)
        found = uids.task_uids(None)
        assert found is not None
        assert (len(found), found.start >= 900_000) == (1000, True)

    def test_two_workers_of_one_host_do_not_share_task_uids(tmp_path: Path) -> None:
        stands = [Stand("none", tmp_path / name, plain=False) for name in ("a", "b")]
        owners = [stand.run("/usr/bin/id", "-u").out for stand in stands]
        for stand in stands:
            stand.close()
        assert len(set(owners)) == 2


def test_a_slot_beyond_the_uids_is_refused() -> None:
    assert uids.uid_of(range(900_000, 900_002), 1) == 900_001
    for slot in (2, -1):
        with pytest.raises(errors.SandboxFailed, match="no task uid"):
            uids.uid_of(range(900_000, 900_002), slot)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_filter_is_a_program_the_kernel_can_take(machine: str) -> None:
    code = seccomp.program(machine, counted=False, on_nosuid=False, sockets=False)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096


def test_a_machine_without_a_first_process_is_refused() -> None:
    with pytest.raises(errors.MissingSafeguard, match="riscv64"):
        first.program("riscv64")


def test_a_machine_without_a_filter_is_refused() -> None:
    with pytest.raises(errors.MissingSafeguard, match="riscv64"):
        seccomp.program("riscv64", counted=True)


_WORKER = """
import fcntl, os, signal, sys, time
from datetime import timedelta
from pathlib import Path
from crony.worker.sandbox import Command, Limits, Operator, Watchdog, open_sandbox
lock = os.open(sys.argv[1] + "/lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
dog = Watchdog(lock_fd=lock)
operator = Operator(state_dir=Path(sys.argv[1]) / "state")
sandbox = open_sandbox(None, operator, watchdog=dog)
run = sandbox.prepare("run-1", Command(argv=("/bin/sleep", "600")), Limits(), slot=1)
run.wait_ready(timedelta(seconds=10))
dog.watch("run-1", run, kill_at=time.clock_gettime(time.CLOCK_BOOTTIME) + 600)
run.release()
print(dog.pid, run.outer_pid, flush=True)
signal.pause()
"""


def test_the_lock_is_free_once_the_last_run_is_dead(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert worker.stdout is not None
    with worker.stdout as said:
        watchdog, outer = map(int, said.readline().split())
    # A stopped watchdog has not killed yet: the lock must be held all that time.
    os.kill(watchdog, signal.SIGSTOP)
    worker.kill()
    worker.wait()
    with open(tmp_path / "lock") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(watchdog, signal.SIGCONT)
        fcntl.flock(lock, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        # Whoever adopted it may not have reaped it yet.
        assert "Z" in Path(f"/proc/{outer}/stat").read_text().rpartition(")")[2]


def test_a_watchdog_that_is_gone_is_noticed(tmp_path: Path) -> None:
    watchdog = Watchdog()
    sandbox = open_sandbox(None, Operator(state_dir=tmp_path), watchdog=watchdog)
    run = sandbox.prepare("run-1", Command(argv=("/bin/true",)), Limits(), slot=1)
    run.wait_ready(timedelta(seconds=10))
    os.kill(watchdog.pid, signal.SIGKILL)
    with pytest.raises(errors.MissingSafeguard, match="watchdog"):
        watchdog.watch("run-1", run, kill_at=time.clock_gettime(time.CLOCK_BOOTTIME))
    run.discard()
    sandbox.close()
    watchdog.close()
