"""A host of workers: its sandboxes, and the watchdog that outlives the worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from crony.testing.simulation.witness import Execution, Witness
from crony.testing.simulation.world import START, Actor, World


class Sandbox:
    """One task that executes."""

    def __init__(self, execution: Execution, *, kill_at: timedelta) -> None:
        self.execution = execution
        #: As the watchdog was told last.
        self.kill_at = kill_at
        #: Tells the worker, as long as there is one.
        self.ended: Callable[[bool], None] = lambda _: None

    @property
    def alive(self) -> bool:
        """Whether anything of it is left."""
        return self.execution.ended is None


class WorkerHost(Actor):
    """What goes on on a worker's host whether the worker lives or not."""

    def __init__(
        self,
        world: World,
        name: str,
        witness: Witness,
        *,
        started: Callable[[str, int], None],
    ) -> None:
        super().__init__(world, f"{name}'s host")
        self._witness = witness
        self._started = started
        self.sandboxes: list[Sandbox] = []
        self.born()

    def boottime(self) -> timedelta:
        """Return ``CLOCK_BOOTTIME``."""
        return self.world.now - START

    def start(
        self, run: str, token: int, *, lasts: timedelta, kill_at: timedelta
    ) -> Sandbox:
        """Let a task go; it ends by itself after a while."""
        sandbox = Sandbox(self._witness.start(run, token, self.name), kill_at=kill_at)
        self.world.tell(f"{self.name}: {run} starts under token {token}")
        self._started(run, token)
        self.sandboxes.append(sandbox)
        self.later(lasts, lambda: self.end(sandbox))
        self._watch(sandbox)
        return sandbox

    def _watch(self, sandbox: Sandbox) -> None:
        """Kill it when its lease is nearly over, unless it was prolonged."""

        def look() -> None:
            if self.boottime() < sandbox.kill_at:
                self._watch(sandbox)
            else:
                self.end(sandbox, killed=True)

        if sandbox.alive:
            self.then(START + sandbox.kill_at, look)

    def end(self, sandbox: Sandbox, *, killed: bool = False) -> None:
        """End a task, if it has not ended yet."""
        if not sandbox.alive:
            return
        how = "is killed" if killed else "ends"
        self.world.tell(f"{self.name}: {sandbox.execution.run} {how}")
        self._witness.end(sandbox.execution)
        self.sandboxes.remove(sandbox)
        sandbox.ended(killed)

    def clear(self) -> None:
        """Kill all that an earlier worker has left."""
        for sandbox in list(self.sandboxes):
            self.end(sandbox, killed=True)

    def suspend(self) -> None:
        """Stand still, tasks and watchdog too."""
        for sandbox in self.sandboxes:
            sandbox.execution.frozen = True
        self.sleep()

    def resume(self) -> None:
        """Go on: what is over by now is killed before anything else."""
        now = self.boottime()
        for sandbox in list(self.sandboxes):
            if now >= sandbox.kill_at:
                self.end(sandbox, killed=True)
            sandbox.execution.frozen = False
        self.wake()
