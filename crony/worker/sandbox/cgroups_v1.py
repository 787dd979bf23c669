"""Control groups, version 1: one hierarchy per controller, for root alone."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from crony.worker.sandbox import cgroups
from crony.worker.sandbox.bells import Bells
from crony.worker.sandbox.values import Limits

_NEEDED = ("memory", "pids", "cpu", "cpuacct")


class GroupV1(cgroups.Group):
    """A run's directories under each controller."""

    def __init__(self, by_controller: dict[str, str], bells: Bells) -> None:
        self._of = by_controller
        self._bells = bells
        self._bell: int | None = None
        # Controllers are often mounted together: each directory once.
        self.paths = tuple(dict.fromkeys(by_controller.values()))

    def on_shortage(self, call: Callable[[], None]) -> None:
        with suppress(OSError):  # a kernel that was built without these events
            self._bell = self._bells.hang(self._of["memory"], call)

    def dissolve(self) -> None:
        if self._bell is not None:
            self._bells.take_down(self._bell)
            self._bell = None
        super().dissolve()

    def usage(self) -> cgroups.Usage:
        memory = self._of["memory"]
        killed = cgroups.field(cgroups.read(f"{memory}/memory.oom_control"), "oom_kill")
        spent = int(cgroups.read(f"{self._of['cpuacct']}/cpuacct.usage"))
        return cgroups.Usage(
            oom=killed > 0,
            cpu=timedelta(microseconds=spent // 1000),
            memory_peak=int(cgroups.read(f"{memory}/memory.max_usage_in_bytes")),
        )


class HierarchyV1(cgroups.Hierarchy):
    """A directory of this worker under each controller."""

    version = 1

    def __init__(self, name: str) -> None:
        """Make them below the groups this process is in; ``OSError`` if it can't."""
        roots = {
            controller: where / cgroups.own_path(controller)
            for where, options in cgroups.mounts("cgroup")
            for controller in _NEEDED
            if controller in options
        }
        missing = [controller for controller in _NEEDED if controller not in roots]
        if missing:
            raise FileNotFoundError(f"no cgroup controller {', '.join(missing)}")
        with suppress(OSError, ValueError):
            # Without controllers, but it kills a whole group in one step.
            where, _ = next(cgroups.mounts("cgroup2"))
            roots["kill"] = where / cgroups.own_path("")
        self._roots = {key: path / name for key, path in roots.items()}
        for path in self._roots.values():
            cgroups.remove_stale(path.parent)
            path.mkdir(exist_ok=True)
        self._bells = Bells()

    def make(self, name: str, limits: Limits) -> cgroups.Group:
        of: dict[str, str] = {}
        for controller, root in self._roots.items():
            of[controller] = str(root / name)
            with suppress(FileExistsError):
                os.mkdir(of[controller])
        memory = of["memory"]
        cgroups.write(f"{memory}/memory.limit_in_bytes", limits.memory)
        with suppress(FileNotFoundError):  # a kernel that does not count swap
            cgroups.write(f"{memory}/memory.memsw.limit_in_bytes", limits.memory)
        cgroups.write(f"{of['pids']}/pids.max", limits.pids)
        cgroups.write(f"{of['cpu']}/cpu.cfs_period_us", cgroups.PERIOD)
        cgroups.write(f"{of['cpu']}/cpu.cfs_quota_us", cgroups.cpu_quota(limits))
        return GroupV1(of, self._bells)

    def close(self) -> None:
        self._bells.close()
        for path in self._roots.values():
            with suppress(OSError):
                Path.rmdir(path)
