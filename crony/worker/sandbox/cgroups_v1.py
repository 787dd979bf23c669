"""Control groups, version 1: one hierarchy per controller, for root alone.

PERF: a single thread that moves itself is moved at once, without the lock that stops
every fork of the host; so it is the spawner's thread that goes in and comes back, and
its child begins in there. And a group that was removed keeps the next one waiting: for
a CPU's group some milliseconds, one after the other. So each slot has groups that stay,
for what can be set back; memory can't, and is cheap to make.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

from crony.worker.sandbox import cgroups, linux
from crony.worker.sandbox.bells import Bells
from crony.worker.sandbox.values import Limits
from crony.worker.sandbox.weight import Weight

_NEEDED = ("memory", "pids", "cpu", "cpuacct")
#: The weight of a plain process.
_SHARES = 1024
#: The thread that writes it.
_ME = b"0"


class GroupV1(cgroups.Group):
    """A run's directories under each controller."""

    def __init__(
        self,
        of: Mapping[str, str],
        bells: Bells,
        *,
        limits: Limits,
        doors: Sequence[int],
        ways_back: Sequence[int],
        weight: Weight,
    ) -> None:
        """``of``: controller -> directory.

        ``doors``: descriptors by which a thread goes into the slot's groups, and
        ``ways_back`` into those of the worker.
        """
        self._of = of
        self._limits = limits
        self._doors = doors
        self._weight = weight
        weight.add()
        self._ways_back = ways_back
        self._bells = bells
        self._bell: int | None = None
        # Who is in one is in all of them, and this one is nobody else's.
        self.paths = (of["memory"],)

    @contextmanager
    def joined(self) -> Iterator[None]:
        try:
            for door in self._doors:
                linux.write(door, _ME)
            cgroups.write(f"{self._of['memory']}/tasks", 0)
            yield
        finally:
            # Each, whatever becomes of another.
            with ExitStack() as after:
                for way in self._ways_back:
                    after.callback(linux.write, way, _ME)

    def bind(self) -> None:
        # With a quota that is used up, or no place for one more, the thread that
        # starts all runs would stand still in there, or could start nothing.
        quota = cgroups.cpu_quota(self._limits)
        cgroups.write(f"{self._of['cpu']}/cpu.cfs_quota_us", quota)
        cgroups.write(f"{self._of['pids']}/pids.max", self._limits.pids)

    @property
    def death_paths(self) -> tuple[str, ...]:
        # In the first one births are stopped.
        return (self._of["pids"], *self.paths)

    def on_shortage(self, call: Callable[[], None]) -> None:
        with suppress(OSError):  # a kernel that was built without these events
            self._bell = self._bells.hang(self._of["memory"], call)

    def dissolve(self) -> None:
        if self._bell is not None:
            self._bells.take_down(self._bell)
            self._bell = None
        super().dissolve()
        self._weight.remove()

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
        own = {
            controller: where / cgroups.own_path(controller)
            for where, options in cgroups.mounts("cgroup")
            for controller in _NEEDED
            if controller in options
        }
        missing = [controller for controller in _NEEDED if controller not in own]
        if missing:
            raise FileNotFoundError(f"no cgroup controller {', '.join(missing)}")
        self._roots = {key: str(path / name) for key, path in own.items()}
        # Controllers are often mounted together: each directory once.
        parents = {self._roots[key]: path for key, path in own.items()}
        for root, parent in parents.items():
            cgroups.remove_stale(parent)
            with suppress(FileExistsError):
                os.mkdir(root)
        self._lasting = tuple(parents.keys() - {self._roots["memory"]})
        self._ways_back = [_opened(str(parent)) for parent in parents.values()]
        #: By slot: what leads into its lasting groups.
        self._doors: dict[int, list[int]] = {}
        self._bells = Bells()
        shares = f"{self._roots['cpu']}/cpu.shares"
        self._weight = Weight(lambda runs: cgroups.write(shares, _SHARES * runs))

    def make(self, name: str, limits: Limits, *, slot: int) -> cgroups.Group:
        if slot not in self._doors:
            self._doors[slot] = self._make_slot(slot)
        of = {
            key: f"{root}/slot-{slot}" if root in self._lasting else f"{root}/{name}"
            for key, root in self._roots.items()
        }
        with suppress(FileExistsError):
            os.mkdir(of["memory"])
        self._limit(of, limits)
        return GroupV1(
            of,
            self._bells,
            limits=limits,
            doors=self._doors[slot],
            ways_back=self._ways_back,
            weight=self._weight,
        )

    def _make_slot(self, slot: int) -> list[int]:
        doors = []
        for root in self._lasting:
            with suppress(FileExistsError):
                os.mkdir(f"{root}/slot-{slot}")
            doors.append(_opened(f"{root}/slot-{slot}"))
        return doors

    def _limit(self, of: Mapping[str, str], limits: Limits) -> None:
        memory = of["memory"]
        cgroups.write(f"{memory}/memory.limit_in_bytes", limits.memory)
        with suppress(FileNotFoundError):  # a kernel that does not count swap
            cgroups.write(f"{memory}/memory.memsw.limit_in_bytes", limits.memory)
        cgroups.write(f"{of['pids']}/pids.max", "max")
        cgroups.write(f"{of['cpu']}/cpu.cfs_quota_us", -1)
        cgroups.write(f"{of['cpu']}/cpu.cfs_period_us", cgroups.PERIOD)
        cgroups.write(f"{of['cpuacct']}/cpuacct.usage", 0)

    def close(self) -> None:
        self._bells.close()
        doors = (fd for fds in self._doors.values() for fd in fds)
        for fd in (*self._ways_back, *doors):
            os.close(fd)
        for root in self._roots.values():
            for path in (*(f"{root}/slot-{slot}" for slot in self._doors), root):
                with suppress(OSError):
                    os.rmdir(path)


def _opened(group: str) -> int:
    """Open what a thread goes into a group by."""
    return os.open(f"{group}/tasks", os.O_WRONLY | os.O_CLOEXEC)
