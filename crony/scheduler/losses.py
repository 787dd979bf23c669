"""Attempts that were lost with their worker: told to people and to who waits."""

from __future__ import annotations

from collections.abc import Sequence

from crony import log
from crony.model.lease import Loss
from crony.scheduler.wakes import Wakes

_log = log.get(__name__)


def tell(losses: Sequence[Loss], *, wakes: Wakes) -> None:
    """Log each loss, and wake who looks at those runs."""
    for loss in losses:
        _log.warning(
            "attempt lost",
            tenant=loss.tenant,
            schedule=loss.schedule,
            run=loss.run,
            worker=loss.worker,
            state=loss.state,
        )
    wakes.publish_runs(frozenset(loss.run for loss in losses))
