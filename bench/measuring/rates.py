"""How many in a second, and how such figures are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many were done in so long: by the clock, and of this process's own time."""

    count: int
    wall: float
    processor: float

    @property
    def per_second(self) -> float:
        """By the clock."""
        return self.count / self.wall

    @property
    def per_processor_second(self) -> float:
        """Of this process's time, which other work on the machine hardly changes."""
        return self.count / max(self.processor, 1e-9)


def rate(count: int, steps: Sequence[Step]) -> Rate:
    """Return how long the steps take, that do ``count`` in all."""
    wall, processor = time.perf_counter(), time.process_time()
    for step in steps:
        step()
    return Rate(count, time.perf_counter() - wall, time.process_time() - processor)


def took(step: Step) -> float:
    """Return how long a step takes, in seconds."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the middle and the most of some samples."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """Return that of these."""
        return cls(min(samples), median(samples), max(samples))

    def told(self, *, scale: float = 1.0, digits: int = 0) -> str:
        """Return it in words, each figure times ``scale``."""
        low, middle, high = (
            f"{value * scale:,.{digits}f}"
            for value in (self.least, self.middle, self.most)
        )
        return f"{middle} ({low}–{high})"
