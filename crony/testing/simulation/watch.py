"""Looks at every verb as it happens: before it, and right after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from crony.model.state import EXECUTING
from crony.storage.contract import Store
from crony.testing.simulation.checks import Checks
from crony.testing.simulation.faults import Violation
from crony.testing.simulation.host import Host
from crony.testing.simulation.mirror import Mirror, Step
from crony.testing.simulation.witness import Witness
from crony.testing.simulation.world import World

#: How well a node and a worker know the store's clock.
_EARLY = timedelta(milliseconds=50)

#: Verbs that only read.
_READS = frozenset(
    {
        "find",
        "page",
        "definition",
        "versions",
        "in_group",
        "ahead",
        "due",
        "earliest",
        "walk",
        "standing_at",
        "follow_ups",
        "pruned",
        "prunable",
        "recent",
        "errors",
        "live",
        "named",
        "levels",
        "scopes",
        "inputs",
        "read",
        "satisfying",
        "by_digest",
        "usage",
        "uncarried",
        "uses",
        "bounds",
        "note",
        "delivery",
        "deliveries",
        "running",
        "schedules",
    }
)


class Watch:
    """Calls the verbs, one at a time, and holds them against the guarantees."""

    def __init__(self, world: World, store: Store, witness: Witness) -> None:
        self._world = world
        self._witness = witness
        self.mirror = Mirror(store)
        self.checks = Checks(self.mirror)
        #: On whose host the code runs that runs now.
        self.host: Host | None = None
        self.verbs = 0

    def call(
        self,
        noun: str,
        verb: str,
        do: Callable[..., Any],
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:  # whatever the verb returns
        """Call a verb of the store."""
        self.verbs += 1
        if verb in _READS:
            return do(*args, **named)
        name = f"{noun}.{verb}"
        before = self.checks.before(name, args, named)
        try:
            result = do(*args, **named)
        except Exception:
            self._changed(name)
            raise
        steps = self._changed(name)
        if self._world.traced and steps:
            self._world.tell(f"{name} → {_brief(result)}")
        self.checks.after(name, args, named, result=result, before=before, steps=steps)
        return result

    def _changed(self, name: str) -> list[Step]:
        """Take in what a verb changed."""
        steps = self.mirror.catch_up()
        for step in steps:
            run = step.after
            if self._world.traced:
                was = step.before.state if step.before else "new"
                why = f" ({run.reason})" if run.reason else ""
                self._world.tell(
                    f"    {name}: {run.id} of {run.scheduled_for:%H:%M:%S} "
                    f"{run.origin} {was} → {run.state}{why}, token {run.token}"
                )
            was_executing = step.before is not None and step.before.state in EXECUTING
            if was_executing and run.state not in EXECUTING:
                for each in self._witness.alive(run.id):
                    raise Violation(
                        "released_while_executing",
                        f"{name} let go of {run.id}, which executes at {each.worker} "
                        f"under token {each.token}",
                    )
        return steps

    def started(self, run: str, token: int) -> None:
        """Hold a start at a worker against what the store has."""
        found = self.mirror.runs.get(run)
        if found is None or found.state not in EXECUTING or found.token != token:
            state = None if found is None else (found.state.value, found.token)
            raise Violation(
                "started_unconfirmed", f"{run} starts under {token}, but is {state}"
            )
        early = found.available_at - self._world.store_now
        if early > _EARLY and not self._world.stepped:
            raise Violation("early", f"{run} starts {early} before its instant")
        once = found.policy.delivery == "at_most_once"
        if once and self._witness.starts[run] > 1:
            raise Violation("at_most_once", f"{run} starts a second time")


def _brief(result: object) -> str:
    text = repr(result)
    return text if len(text) <= 160 else text[:160] + "…"
