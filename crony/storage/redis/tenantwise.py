"""Verbs about all tenants: one script each, for those that have something to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crony.storage.redis.engine import Engine


def earliest(engine: Engine, sets: Sequence[str]) -> dict[str, list[int | None]]:
    """Return the least score of each set, by tenant."""
    names = engine.tenants()
    answers = engine.each("first", [(name, {"keys": list(sets)}) for name in names])
    return {
        name: [None if first is False else int(first) for first in answer]
        for name, answer in zip(names, answers, strict=True)
    }


def due(engine: Engine, *sets: tuple[str, int]) -> Iterator[str]:
    """Meet the tenants of which one of these sets has come, the earliest first.

    Each set is named with the instant until which it counts.
    """
    firsts = earliest(engine, [name for name, _ in sets])
    found = []
    for tenant, scores in firsts.items():
        come = [
            score
            for score, (_, until) in zip(scores, sets, strict=True)
            if score is not None and score <= until
        ]
        if come:
            found.append((min(come), tenant))
    yield from (tenant for _, tenant in sorted(found))
