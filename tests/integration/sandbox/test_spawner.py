"""What a child of the spawner has from its first instruction on, and its thread not."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from crony import errors
from crony.worker.sandbox import cgroups, rights
from crony.worker.sandbox.cgroups import Group
from crony.worker.sandbox.cgroups_v1 import HierarchyV1
from crony.worker.sandbox.cgroups_v2 import GroupV2, HierarchyV2
from crony.worker.sandbox.leash import Leash
from crony.worker.sandbox.spawner import Child, Spawner
from crony.worker.sandbox.values import Limits

_UID = 54_322
_TASK = ("/bin/sleep", "600")


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    """Give one that starts tasks for a worker that is root."""
    made = Spawner(Leash())
    made.call(rights.lower_for_good)
    yield made
    made.close()


@pytest.fixture
def group(request: pytest.FixtureRequest) -> Iterator[Group]:
    """Give a run's group, of the kind that this host has."""
    limits = getattr(request, "param", Limits(pids=10))
    hierarchy: HierarchyV1 | HierarchyV2
    name = cgroups.hierarchy_name()
    try:
        hierarchy = HierarchyV2(name)
    except OSError:
        hierarchy = HierarchyV1(name)
    made = hierarchy.make("run", limits, slot=0)
    yield made
    made.dissolve()
    hierarchy.close()


def ended(child: Child) -> None:
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    os.close(child.pidfd)


def parsed(status: str) -> dict[str, list[str]]:
    """Read what the kernel says of a process or a thread."""
    pairs = (line.split(":", 1) for line in status.splitlines())
    return {name: value.split() for name, value in pairs}


def own_status() -> dict[str, list[str]]:
    """Read that of the calling thread."""
    return parsed(Path("/proc/thread-self/status").read_text())


def test_a_task_has_its_uid_alone_and_no_way_back(spawner: Spawner) -> None:
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    show = ("/bin/cat", "/proc/self/status")
    child = spawner.spawn(show, run_key="x", fds={1: theirs}, uid=_UID)
    os.close(theirs)
    with open(ours, encoding="ascii") as file:
        seen = parsed(file.read())
    ended(child)
    assert seen["Uid"] == seen["Gid"] == [str(_UID)] * 4
    assert seen["Groups"] == []
    capabilities = [seen[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    assert capabilities == [["0000000000000000"]] * 5
    assert seen["NoNewPrivs"] == ["1"]


def test_the_thread_is_root_again_afterwards_whatever_happens(
    spawner: Spawner,
) -> None:
    with pytest.raises(errors.SandboxFailed):
        spawner.spawn(("/no/such/program",), run_key="x", fds={}, uid=_UID)
    ended(spawner.spawn(_TASK, run_key="x", fds={}, uid=_UID))
    seen = spawner.call(own_status)
    assert seen["Uid"] == seen["Gid"] == ["0"] * 4
    assert int(seen["CapEff"][0], 16) == int(own_status()["CapEff"][0], 16)


def test_other_threads_keep_their_rights_meanwhile(spawner: Spawner) -> None:
    """Each thread looks at itself, so this one waits inside the other's change."""
    inside, seen_by_all = threading.Event(), threading.Event()

    def change() -> None:
        with rights.of_task(_UID):
            inside.set()
            seen_by_all.wait(10)

    asked = threading.Thread(target=lambda: spawner.call(change))
    asked.start()
    assert inside.wait(10)
    mine = own_status()
    seen_by_all.set()
    asked.join()
    assert (mine["Uid"], mine["NoNewPrivs"]) == (["0"] * 4, ["0"])


def test_a_task_is_in_its_group_from_the_start_and_the_worker_is_not(
    spawner: Spawner, group: Group
) -> None:
    before = spawner.call(lambda: Path("/proc/thread-self/cgroup").read_text())
    child = spawner.spawn(_TASK, run_key="x", fds={}, uid=_UID, group=group)
    members = Path(group.paths[0], "cgroup.procs").read_text().split()
    after = spawner.call(lambda: Path("/proc/thread-self/cgroup").read_text())
    ended(child)
    assert str(child.pid) in members
    assert str(os.getpid()) not in members
    assert before == after


def test_the_thread_leaves_the_group_of_what_could_not_be_started(
    spawner: Spawner, group: Group
) -> None:
    before = spawner.call(lambda: Path("/proc/thread-self/cgroup").read_text())
    with pytest.raises(errors.SandboxFailed):
        spawner.spawn(("/no/such",), run_key="x", fds={}, uid=_UID, group=group)
    after = spawner.call(lambda: Path("/proc/thread-self/cgroup").read_text())
    assert before == after


@pytest.mark.parametrize("group", [Limits(pids=1, cpu=0.01)], indirect=True)
def test_limits_that_would_bind_the_thread_too_are_set_once_the_child_is_there(
    spawner: Spawner, group: Group
) -> None:
    """With one place and no processor to speak of, the thread could start nothing."""
    child = spawner.spawn(_TASK, run_key="x", fds={}, uid=_UID, group=group)
    most = Path(group.death_paths[0], "pids.max").read_text().strip()
    ended(child)
    assert most == "1"


def test_a_worker_never_kills_itself_with_a_group(
    spawner: Spawner, group: Group
) -> None:
    """A thread of it is in there for the moment of a start."""

    def kill_from_inside() -> bool:
        with group.joined():
            members = Path(group.paths[0], "cgroup.procs").read_text().split()
            group.kill()
            # Version 2 takes no thread in.
            return isinstance(group, GroupV2) or str(os.getpid()) in members

    assert spawner.call(kill_from_inside)
