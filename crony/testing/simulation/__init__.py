"""The proof by simulation: seeded histories of a whole service, and what must hold.

One number decides a history: the schedules, groups and limits, the workers and how
long their tasks take, what people do, which requests are lost, late or repeated, when
a node is killed between two verbs of its store, whose clock steps and which host is
suspended. The scheduler and the storage driver in it are the real ones; only time, the
network and the workers are simulated. While it goes on, and after it, the guarantees
are checked by what is worked out here, beside the service.

It ships with Crony so that a driver of somebody else's can be proven with it::

    python -m crony.testing.simulation --seed 42 --storage memory://
"""

from crony.testing.simulation.faults import Violation
from crony.testing.simulation.history import History, play

__all__ = ["History", "Violation", "play"]
