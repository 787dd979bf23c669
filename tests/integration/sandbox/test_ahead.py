"""Interpreters that start before the instant of their task, and wait for it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from crony import errors
from crony.worker.sandbox import (
    Command,
    Limits,
    Operator,
    Prepared,
    Sandbox,
    open_sandbox,
    processes,
    watchdog,
)

_WITHIN = timedelta(seconds=30)
_CALL = files("crony.worker.tasks").joinpath("call.py").read_bytes()


@pytest.fixture(params=["full", "namespaces", "landlock", "none"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """Go through the ways in which a gate is made."""
    operator = Operator(state_dir=tmp_path / "state", python=sys.executable)
    made = open_sandbox(request.param, operator)
    yield made
    made.close()


def calling(function: str, *args: object, **env: str) -> Command:
    call = {"env": env, "function": function, "args": args, "kwargs": {}}
    return Command(
        argv=(sys.executable, "-u", "./call.py"),
        files={
            "call.py": (_CALL, 0o600),
            ".crony-call.json": (json.dumps(call).encode(), 0o600),
        },
        stands=True,
    )


def standing(sandbox: Sandbox, command: Command) -> Prepared:
    made = sandbox.prepare("run", command, Limits(), slot=0)
    made.wait_ready(_WITHIN)
    return made


def executed(run: Prepared) -> list[bytes]:
    """List the command lines of what a prepared run consists of."""
    members = [pid for pid, _ in watchdog.sessions({run.outer_pid})]
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in members]
    inner = getattr(run, "inner_pid", 0)
    if inner:
        below = processes.descendants(inner)
        lines += [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in below]
    return lines


def test_the_interpreter_is_there_and_has_called_nothing(sandbox: Sandbox) -> None:
    run = standing(sandbox, calling("builtins:print", "called"))
    assert any(b"call.py" in line for line in executed(run))
    with pytest.raises(BlockingIOError):
        os.read(run.stdout, 100)
    run.release()
    assert run.wait().exit_code == 0
    assert os.read(run.stdout, 100) == b"called\n"
    run.close()


def test_without_a_worker_it_ends_and_calls_nothing(sandbox: Sandbox) -> None:
    run = standing(sandbox, calling("builtins:print", "called"))
    run._pipes.close_gate()  # type: ignore[attr-defined]  # as its death does
    assert run.wait().exit_code == 125
    assert os.read(run.stdout, 100) == b""
    run.close()


def test_what_is_called_has_the_environment_of_the_task(sandbox: Sandbox) -> None:
    command = calling(
        "subprocess:getoutput", 'echo "$WHO"; date +%Z', WHO="me", TZ="XYZ1"
    )
    run = standing(sandbox, command)
    run.release()
    run.wait()
    said = json.loads(os.read(run.progress, 4096).strip())
    run.close()
    assert said == {"result": "me\nXYZ"}


@pytest.mark.parametrize("sandbox", ["full"], indirect=True)
def test_an_interpreter_without_the_memory_to_start_says_so(sandbox: Sandbox) -> None:
    run = sandbox.prepare("run", calling("os:getpid"), Limits(memory=1 << 20), slot=0)
    with pytest.raises(errors.SandboxFailed, match="too little memory"):
        run.wait_ready(_WITHIN)
    run.close()


def test_what_is_called_has_no_descriptor_of_the_gate(sandbox: Sandbox) -> None:
    run = standing(sandbox, calling("os:listdir", "/proc/self/fd"))
    run.release()
    run.wait()
    said = os.read(run.progress, 4096).strip()
    run.close()
    # The listing's own, and that of progress.
    assert set(json.loads(said)["result"]) <= {"0", "1", "2", "3", "5"}
