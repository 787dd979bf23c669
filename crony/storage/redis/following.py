"""Hooks that are owed; ``owing.lua`` keeps each as a text."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from crony.model.hook import FollowUp, HookKind
from crony.storage.codec import instant_in
from crony.storage.redis import tenantwise
from crony.storage.redis.engine import Engine

#: Later than all instants.
_EVER = 1 << 52


def owed(engine: Engine, *, limit: int) -> Sequence[FollowUp]:
    """Return hooks that are owed, oldest first."""
    tenants = list(tenantwise.due(engine, ("follow_ups", _EVER)))
    calls: list[tuple[str, dict[str, Any]]] = [(t, {"limit": limit}) for t in tenants]
    found = [
        [
            follow_up_in(tenant, answer[n], int(answer[n + 1]))
            for n in range(0, len(answer), 2)
        ]
        for tenant, answer in zip(
            tenants, engine.each("run_follow_ups", calls), strict=True
        )
    ]
    return tuple(heapq.merge(*found, key=_order))[:limit]


def settle(engine: Engine, items: Sequence[FollowUp]) -> None:
    """Forget hooks that are runs now."""
    texts: dict[str, list[str]] = defaultdict(list)
    for each in items:
        texts[each.tenant].append(text_of(each))
    for tenant, some in texts.items():
        engine.call("run_followed", tenant, texts=some)


def text_of(of: FollowUp) -> str:
    """Return the text that a follow-up is kept as."""
    return f"{of.run} {of.attempt:010d} {of.kind.value} {of.number:010d} {of.schedule}"


def follow_up_in(tenant: str, text: str, at: int) -> FollowUp:
    """Return the follow-up of a text."""
    run, attempt, kind, number, schedule = text.split(" ")
    return FollowUp(
        tenant=tenant,
        schedule=schedule,
        run=run,
        attempt=int(attempt),
        kind=HookKind(kind),
        number=int(number),
        at=instant_in(at),
    )


def _order(of: FollowUp) -> tuple[Any, ...]:
    return (of.at, of.run, of.attempt, of.kind, of.number)
