"""Batches: many schedules made at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crony import errors, log
from crony.clock import Clock, cut
from crony.model.schedule import Definition, Schedule
from crony.scheduler import triggering
from crony.scheduler.edits import Edits
from crony.scheduler.policies import Look, Policies
from crony.scheduler.schedules import Schedules, fresh
from crony.storage.contract import Creation, Store

_log = log.get(__name__)

#: What became of one of many: as ``Schedules.create`` returns it, or raises it.
Outcome = tuple[Schedule, bool] | errors.CronyError

#: So many are stored in one step, in which nothing else is written.
MOST = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule to be made, under an id of an earlier try if there is one."""

    definition: Definition
    id: str | None


class Batches:
    """Makes schedules as ``Schedules.create`` does, many in one step of the store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        policies: Policies,
        edits: Edits,
        schedules: Schedules,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._edits = edits
        self._schedules = schedules

    def create(self, tenant: str, wanted: Sequence[Wanted]) -> list[Outcome]:
        """Make schedules, at most ``MOST``; return what became of each, in order."""
        look = self._policies.look()
        look.load(tenant, [each.definition for each in wanted])
        drafts = self._drafts(tenant, wanted, look)
        made = self._stored(tenant, drafts, look)
        for each in made.values():
            _log.info("schedule created", tenant=tenant, schedule=each.id)
        if made:
            self._edits.written(list(made.values()), now=drafts[0].created_at)
        return [self._outcome(each, made.get(each.id)) for each in drafts]

    def _drafts(
        self, tenant: str, wanted: Sequence[Wanted], look: Look
    ) -> list[Schedule]:
        now = cut(self._clock.now())
        return [
            fresh(
                tenant,
                each.definition,
                id=each.id or self._schedules.new_id(),
                now=now,
                held=look.resolved(tenant, each.definition).group.paused,
            )
            for each in wanted
        ]

    def _stored(
        self, tenant: str, drafts: Sequence[Schedule], look: Look
    ) -> dict[str, Schedule]:
        """Store what is plainly new; return it by its id."""
        owner = look.tenant(tenant)
        if owner is None:
            raise errors.NotFound("tenant", tenant)
        batch: list[Creation] = []
        for draft in drafts:
            policy = look.resolved(tenant, draft.definition).policy
            faults = triggering.check_trigger(
                draft.definition,
                tenant=tenant,
                now=draft.created_at,
                window=policy.misfire_window,
            )
            if not faults:
                batch.append(Creation(draft, policy.limit))
        stored = self._store.schedules.create_all(batch, quota=owner.quotas.schedules)
        return {
            item.schedule.id: item.schedule
            for item, counted in zip(batch, stored, strict=True)
            if counted is True
        }

    def _outcome(self, draft: Schedule, made: Schedule | None) -> Outcome:
        if made is not None:
            return made, True
        try:
            # What is not plainly new is looked at by itself.
            return self._schedules.create(draft.tenant, draft.definition, id=draft.id)
        except errors.Unavailable:
            raise
        except errors.CronyError as exc:
            return exc
