"""Sandboxes in reserve: used once, of the right kind, and gone with their worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crony.worker.sandbox import Command, Limits, Operator, open_sandbox, processes
from crony.worker.sandbox.confined import Confined
from crony.worker.sandbox.confining import BwrapSandbox
from crony.worker.sandbox.spares import Spares

_WITHIN = timedelta(seconds=30)
_SMALL = Limits(memory=64 << 20)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[BwrapSandbox]:
    """Give one of the best level, with reserves for two slots."""
    made = open_sandbox(None, Operator(state_dir=tmp_path / "state"))
    assert isinstance(made, BwrapSandbox)
    made.keep_ready(2)
    yield made
    made.close()


def reserve(sandbox: BwrapSandbox) -> Spares:
    return sandbox._spares


def standing(sandbox: BwrapSandbox, slot: int) -> int:
    """Wait until a slot has its spare; return its outermost process."""
    spares = reserve(sandbox)
    with spares._changed:
        assert spares._changed.wait_for(lambda: slot in spares._standing, 30)
        return spares._standing[slot][1].outer_pid


def prepared(
    sandbox: BwrapSandbox,
    *,
    slot: int,
    command: Command | None = None,
    limits: Limits | None = None,
) -> Confined:
    wanted = command or Command(argv=("/bin/echo", "here"))
    made = sandbox.prepare(
        f"run-{os.urandom(4).hex()}", wanted, limits or Limits(), slot=slot
    )
    assert isinstance(made, Confined)
    return made


def said(run: Confined) -> str:
    """Let a run go; return what it printed."""
    run.wait_ready(_WITHIN)
    run.release()
    run.wait()
    try:
        return os.read(run.stdout, 4096).decode()
    finally:
        run.close()


def test_a_run_takes_the_spare_of_its_slot_with_its_own_words(
    sandbox: BwrapSandbox,
) -> None:
    spare = standing(sandbox, 0)
    command = Command(argv=("/bin/sh", "-c", 'echo "$WHO"'), env={"WHO": "this run"})
    run = prepared(sandbox, slot=0, command=command)
    assert run.outer_pid == spare
    assert said(run) == "this run\n"


def test_a_spare_is_used_once_and_replaced(sandbox: BwrapSandbox) -> None:
    first = standing(sandbox, 0)
    said(prepared(sandbox, slot=0))
    assert standing(sandbox, 0) != first


def test_a_slot_in_use_gets_no_spare(sandbox: BwrapSandbox) -> None:
    standing(sandbox, 0)
    standing(sandbox, 1)
    run = prepared(sandbox, slot=0)
    said(prepared(sandbox, slot=1))
    # By the time that the other has its next one, this one could have had one too.
    standing(sandbox, 1)
    assert 0 not in reserve(sandbox)._standing
    said(run)


@pytest.mark.parametrize(
    "command",
    [
        Command(argv=("/bin/cat",), stdin=b"given\n"),
        Command(argv=("/bin/cat", "file"), files={"file": (b"given\n", 0o600)}),
        Command(argv=("/bin/sh", "-c", "pwd >&2; echo given"), workdir="/usr"),
    ],
)
def test_what_a_spare_can_t_give_gets_a_sandbox_of_its_own(
    sandbox: BwrapSandbox, command: Command
) -> None:
    spare = standing(sandbox, 0)
    run = prepared(sandbox, slot=0, command=command)
    assert run.outer_pid != spare
    assert not Path(f"/proc/{spare}").exists()
    assert said(run) == "given\n"


def test_other_limits_get_a_sandbox_of_their_own_and_are_those_of_the_next_spare(
    sandbox: BwrapSandbox,
) -> None:
    spare = standing(sandbox, 0)
    first = prepared(sandbox, slot=0, limits=_SMALL)
    assert first.outer_pid != spare
    said(first)
    spare = standing(sandbox, 0)
    second = prepared(sandbox, slot=0, limits=_SMALL)
    assert second.outer_pid == spare
    said(second)


def test_a_spare_that_died_is_not_used(sandbox: BwrapSandbox) -> None:
    spare = standing(sandbox, 0)
    os.kill(spare, signal.SIGKILL)
    pidfd = os.pidfd_open(spare)
    assert processes.gone(pidfd, within=_WITHIN)
    os.close(pidfd)
    assert said(prepared(sandbox, slot=0)) == "here\n"


def test_without_reserves_nothing_stands(sandbox: BwrapSandbox) -> None:
    pids = [standing(sandbox, 0), standing(sandbox, 1)]
    sandbox.keep_ready(0)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert said(prepared(sandbox, slot=0)) == "here\n"
    assert not reserve(sandbox)._standing


def test_a_run_that_could_not_be_prepared_leaves_its_slot_to_the_reserve(
    sandbox: BwrapSandbox,
) -> None:
    standing(sandbox, 0)
    for _ in range(2):
        run = prepared(sandbox, slot=0)
        run.discard()
        standing(sandbox, 0)
