"""Hooks, as a client wrote them."""

from __future__ import annotations

from collections.abc import Mapping

from crony.api.render.values import Object, duration
from crony.model.hook import Hook, HookKind


def written(hooks: Mapping[HookKind, Hook]) -> Object:
    """Return the hooks that there are."""
    return {kind.value: _hook(hooks[kind]) for kind in HookKind if kind in hooks}


def _hook(hook: Hook) -> Object:
    if hook.interval is None:
        return {"task": hook.task}
    return {"task": hook.task, "interval": duration(hook.interval)}
