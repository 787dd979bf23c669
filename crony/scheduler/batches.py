"""Batches: many schedules made at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crony import errors, log
from crony.clock import Clock, cut
from crony.model.schedule import Definition, Schedule
from crony.scheduler import triggering
from crony.scheduler.edits import Edits
from crony.scheduler.policies import Policies
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
        drafts = self._drafts(tenant, wanted)
        made = self._stored(tenant, drafts)
        return [self._outcome(each, made.get(each.id)) for each in drafts]

    def _drafts(self, tenant: str, wanted: Sequence[Wanted]) -> list[Schedule]:
        now = cut(self._clock.now())
        return [
            fresh(
                tenant,
                each.definition,
                id=each.id or self._schedules.new_id(),
                now=now,
                held=False,
            )
            for each in wanted
        ]

    def _stored(self, tenant: str, drafts: Sequence[Schedule]) -> dict[str, Schedule]:
        """Store what is plainly new; return it by its id."""
        found = self._store.tenants.find(tenant)
        if found is None:
            raise errors.NotFound("tenant", tenant)
        holds = self._policies.many(drafts)
        batch: list[Creation] = []
        for draft in drafts:
            policy, group = holds[draft.id].policy, holds[draft.id].group
            faults = triggering.check_trigger(
                draft.definition,
                tenant=tenant,
                now=draft.created_at,
                window=policy.misfire_window,
            )
            if not faults:
                batch.append(Creation(_held(draft, held=group.paused), policy.limit))
        stored = self._store.schedules.create_all(batch, quota=found.quotas.schedules)
        return {
            item.schedule.id: item.schedule
            for item, counted in zip(batch, stored, strict=True)
            if counted is True
        }

    def _outcome(self, draft: Schedule, made: Schedule | None) -> Outcome:
        if made is not None:
            _log.info("schedule created", tenant=made.tenant, schedule=made.id)
            self._edits.written(made, made.created_at)
            return made, True
        try:
            # What is not plainly new is looked at by itself.
            return self._schedules.create(draft.tenant, draft.definition, id=draft.id)
        except errors.Unavailable:
            raise
        except errors.CronyError as exc:
            return exc


def _held(draft: Schedule, *, held: bool) -> Schedule:
    """Return a draft as it is in a group that is paused, or is not."""
    if held == draft.held:
        return draft
    return fresh(
        draft.tenant,
        draft.definition,
        id=draft.id,
        now=draft.created_at,
        held=held,
    )
