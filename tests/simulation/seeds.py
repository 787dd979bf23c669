"""Which histories are played: more of them, or others, by the environment.

``CRONY_SIMULATION_SEED`` is the first, ``CRONY_SIMULATION_COUNT`` how many there are.
"""

from __future__ import annotations

import os

FIRST = int(os.environ.get("CRONY_SIMULATION_SEED", "0"))
COUNT = int(os.environ.get("CRONY_SIMULATION_COUNT", "200"))

#: So many are one test.
PIECE = 25

#: In which the planted bugs must be caught, whatever else is played.
DEFAULT = range(400)


def pieces() -> list[range]:
    """Return the seeds, piece by piece."""
    end = FIRST + COUNT
    return [range(n, min(n + PIECE, end)) for n in range(FIRST, end, PIECE)]
