"""Control groups, version 2: one tree, also for a plain user it is delegated to."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from crony.worker.sandbox import cgroups
from crony.worker.sandbox.values import Limits
from crony.worker.sandbox.weight import Weight

_NEEDED = ("memory", "pids", "cpu")
#: The weight of a plain process, and the most that there is.
_WEIGHT, _MOST_WEIGHT = 100, 10_000


class GroupV2(cgroups.Group):
    """A run's directory."""

    def __init__(self, path: str, weight: Weight) -> None:
        self._path = path
        self.paths = (path,)
        self._weight = weight
        weight.add()

    def dissolve(self) -> None:
        super().dissolve()
        self._weight.remove()

    def door(self) -> int:
        return os.open(f"{self._path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    def bind(self) -> None:
        pass  # nobody but the run is ever in there

    def on_shortage(self, call: Callable[[], None]) -> None:
        pass  # ``memory.oom.group``: the kernel kills all of it

    def usage(self) -> cgroups.Usage:
        killed = cgroups.field(cgroups.read(f"{self._path}/memory.events"), "oom_kill")
        spent = cgroups.field(cgroups.read(f"{self._path}/cpu.stat"), "usage_usec")
        peak: int | None = None
        with suppress(FileNotFoundError):  # a kernel before 5.19
            peak = int(cgroups.read(f"{self._path}/memory.peak"))
        return cgroups.Usage(
            oom=killed > 0, cpu=timedelta(microseconds=spent), memory_peak=peak
        )


class HierarchyV2(cgroups.Hierarchy):
    """A directory of this worker, whose children have the controllers."""

    version = 2

    def __init__(self, name: str) -> None:
        """Make it where this process may; ``OSError`` when it may nowhere."""
        try:
            where, _ = next(cgroups.mounts("cgroup2"))
        except StopIteration:
            raise FileNotFoundError("no cgroup2 is mounted") from None
        own = where / cgroups.own_path("")
        try:
            self._root = _below(own, name)
        except OSError:
            if own == where:
                raise
            # A worker that is root may use the top, which systemd keeps open.
            self._root = _below(where, name)
        weight = f"{self._root}/cpu.weight"
        self._weight = Weight(
            lambda runs: cgroups.write(weight, min(_WEIGHT * runs, _MOST_WEIGHT))
        )

    def make(self, name: str, limits: Limits, *, slot: int) -> cgroups.Group:
        path = str(self._root / name)
        with suppress(FileExistsError):
            os.mkdir(path)
        cgroups.write(f"{path}/memory.max", limits.memory)
        with suppress(FileNotFoundError):  # a kernel that does not count swap
            cgroups.write(f"{path}/memory.swap.max", 0)
        cgroups.write(f"{path}/memory.oom.group", 1)
        cgroups.write(f"{path}/pids.max", limits.pids)
        cgroups.write(
            f"{path}/cpu.max", f"{cgroups.cpu_quota(limits)} {cgroups.PERIOD}"
        )
        return GroupV2(path, self._weight)

    def close(self) -> None:
        with suppress(OSError):
            self._root.rmdir()


def _below(parent: Path, name: str) -> Path:
    """Make a directory whose children get the controllers.

    A group with processes of its own can't hand controllers down: then this
    worker steps aside into a leaf, which is what a service that is delegated a
    group is meant to do.
    """
    offered = cgroups.read(str(parent / "cgroup.controllers")).split()
    missing = [controller for controller in _NEEDED if controller not in offered]
    if missing:
        raise FileNotFoundError(f"no cgroup controller {', '.join(missing)}")
    try:
        _hand_down(parent)
    except OSError:
        leaf = parent / f"{name}-worker"
        leaf.mkdir(exist_ok=True)
        cgroups.write(str(leaf / "cgroup.procs"), 0)
        _hand_down(parent)
    cgroups.remove_stale(parent)
    root = parent / name
    root.mkdir(exist_ok=True)
    _hand_down(root)
    return root


def _hand_down(path: Path) -> None:
    enabled = cgroups.read(str(path / "cgroup.subtree_control")).split()
    wanted = [f"+{name}" for name in _NEEDED if name not in enabled]
    if wanted:
        cgroups.write(str(path / "cgroup.subtree_control"), " ".join(wanted))
