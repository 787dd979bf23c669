"""What really executed, as no part of the service knows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from crony.testing.simulation.faults import Violation
from crony.testing.simulation.world import World


@dataclass(eq=False, slots=True)
class Execution:
    """A task that is alive, from its first to its last moment."""

    run: str
    token: int
    worker: str
    began: datetime
    ended: datetime | None = None
    #: Its host is suspended: it does nothing.
    frozen: bool = False


class Witness:
    """Notes each start and end, and sees two at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._live: dict[str, list[Execution]] = {}
        self.starts: Counter[str] = Counter()
        self.number = 0

    def start(self, run: str, token: int, worker: str) -> Execution:
        """Note that a task has begun."""
        for other in self.alive(run):
            raise Violation(
                "two_at_once",
                f"{run}: attempt {token} began at {worker} while {other.token} was "
                f"alive at {other.worker}",
            )
        execution = Execution(run, token, worker, self._world.now)
        self._live.setdefault(run, []).append(execution)
        self.starts[run] += 1
        self.number += 1
        return execution

    def end(self, execution: Execution) -> None:
        """Note that nothing of a task is left."""
        execution.ended = self._world.now
        self._live[execution.run].remove(execution)

    def alive(self, run: str) -> list[Execution]:
        """Return what executes of a run."""
        return [each for each in self._live.get(run, ()) if not each.frozen]
