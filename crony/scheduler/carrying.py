"""Carrying: a group's pause or resume reaches each of its schedules.

The group is written first, and says from which instant on it holds. Then every
schedule follows by an edit of its own, which settles what was due before that
instant. Whoever wrote the group goes through its schedules; if that one is gone,
the ticker goes on. To do it twice changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from crony import errors, log
from crony.model.group import Group
from crony.model.schedule import Schedule
from crony.scheduler.contention import TRIES
from crony.storage.contract import Store

_log = log.get(__name__)

#: So many schedules are looked at before the group is read again.
_PAGE = 100
#: So many in one step of the ticker, which has other things to do.
_STEP = 20
#: For so long the ticker leaves a group to whoever wrote it.
PATIENCE = timedelta(seconds=5)


class Holding(Protocol):
    """Whoever writes the edits."""

    def hold(self, schedule: Schedule, group: Group) -> Schedule | None:
        """Let a schedule follow its group; ``None`` when another was first."""


class Carrier:
    """Lets schedules follow their groups."""

    def __init__(self, store: Store, *, edits: Holding) -> None:
        self._store = store
        self._edits = edits
        #: Schedules that can't follow, by the revision of the group they should.
        self._bad: dict[str, int] = {}

    def carry(self, tenant: str, name: str) -> None:
        """Let all schedules of a group follow it; raises ``Overloaded``."""
        idle = 0
        while idle < TRIES:
            group = self._store.groups.find(tenant, name)
            if group is None or group.carried:
                return
            moved, finished = self._some(group, limit=_PAGE)
            if finished:
                return
            idle = 0 if moved else idle + 1
        raise errors.Overloaded(
            f"the schedules of group {name!r} keep changing; some follow it later",
            retry_after=timedelta(seconds=1),
        )

    def step(self, now: datetime) -> bool:
        """Go on where somebody stopped; return whether there is more to do at once."""
        for group in self._store.groups.uncarried(limit=_STEP):
            if timedelta() <= now - group.updated_at < PATIENCE:
                continue
            moved, finished = self._some(group, limit=_STEP)
            if finished:
                _log.info("group followed", tenant=group.tenant, group=group.name)
            elif moved:
                return True
        return False

    def _some(self, group: Group, *, limit: int) -> tuple[int, bool]:
        """Let some schedules follow; return how many did, and whether it is done."""
        # Those that can't follow stay behind: they must not be all that is found.
        behind = self._store.schedules.in_group(
            group.tenant,
            group.name,
            held=not group.paused,
            limit=limit + len(self._bad),
        )
        if not behind:
            return 0, self._store.groups.carried(group)
        return sum(self._follows(schedule, group) for schedule in behind), False

    def _follows(self, schedule: Schedule, group: Group) -> bool:
        try:
            return self._edits.hold(schedule, group) is not None
        except errors.Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one bad row must not stop the others
            if self._bad.get(schedule.id) != group.revision:
                self._bad[schedule.id] = group.revision
                _log.exception(
                    "a schedule can't follow its group",
                    tenant=schedule.tenant,
                    schedule=schedule.id,
                )
            return False
