"""What processes use: the memory that is theirs, and the processor."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and all that it has started and that are there."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def memory(pid: int) -> int:
    """Return the bytes that a process and its children hold, shared pages once."""
    return sum(_proportional(each) for each in family(pid))


def _proportional(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"process {pid} says nothing of its memory")


def processor(pid: int) -> float:
    """Return the seconds that a process and its children have computed so far."""
    return sum(_computed(each) for each in family(pid))


def _computed(pid: int) -> float:
    # The name may hold anything, spaces too.
    _, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    fields = rest.split()
    return (int(fields[11]) + int(fields[12])) / _TICK
