"""Tenants, answers and duties, in memory."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from crony import errors
from crony.model.lease import Ready
from crony.model.state import RunState
from crony.model.worker import Tenant, Usage
from crony.storage import changes
from crony.storage.codec import cut, kept
from crony.storage.contract import (
    Answer,
    Answers,
    Duties,
    Levels,
    Page,
    Position,
    Tenants,
)
from crony.storage.memory.admission import change, ready
from crony.storage.memory.paging import as_it_is, paged
from crony.storage.memory.records import Duty
from crony.storage.memory.references import check_profile
from crony.storage.memory.state import Memory


def add_tenant(memory: Memory, tenant: Tenant) -> None:
    """Keep a tenant; a new one has a group from its beginning."""
    memory.tenants[tenant.name] = kept(tenant)
    group = kept(changes.default_group(tenant))
    memory.groups.setdefault((tenant.name, group.name), group)


class MemoryTenants(Tenants):
    """Tenants in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, tenant: str) -> Tenant | None:
        with self._memory.verb():
            return kept(self._memory.tenants.get(tenant))

    def page(self, *, limit: int, after: Position | None) -> Page[Tenant]:
        with self._memory.verb():
            return paged(
                self._memory.tenants.values(),
                lambda tenant: (tenant.name, tenant.name),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def put(self, tenant: Tenant, *, expected: int | None) -> tuple[bool, Ready]:
        with self._memory.verb():
            stored = self._memory.tenants.get(tenant.name)
            if (stored.revision if stored else None) != expected:
                return False, frozenset()
            check_profile(self._memory, tenant.name, tenant.profile)
            with change(self._memory) as lines:
                add_tenant(self._memory, tenant)
            return True, ready(lines)

    def delete(self, tenant: str, *, expected: int) -> bool:
        memory = self._memory
        with memory.verb():
            if tenant == "default":
                raise errors.InUse("the tenant default always exists")
            stored = memory.tenants.get(tenant)
            if stored is None or stored.revision != expected:
                return False
            usage = self._usage(tenant)
            live = [
                run
                for run in memory.runs.values()
                if run.tenant == tenant
                and not (run.over or run.state is RunState.WITHDRAWN)
            ]
            if usage.schedules or usage.workers or live:
                raise errors.InUse(
                    f"the tenant {tenant} has {usage.schedules} schedules, "
                    f"{usage.workers} workers and {len(live)} runs that are not over"
                )
            self._purge(tenant)
            del memory.tenants[tenant]
            return True

    def _purge(self, tenant: str) -> None:
        """Remove what a tenant leaves, so that a later one can't see it."""
        memory = self._memory
        memory.keys = {k: v for k, v in memory.keys.items() if v.tenant != tenant}
        memory.runs = {k: v for k, v in memory.runs.items() if v.tenant != tenant}
        memory.answers = {k: v for k, v in memory.answers.items() if k[0] != tenant}
        memory.groups = {k: v for k, v in memory.groups.items() if k[0] != tenant}
        memory.profiles = {k: v for k, v in memory.profiles.items() if k[0] != tenant}
        memory.webhooks = {k: v for k, v in memory.webhooks.items() if k[0] != tenant}
        memory.deliveries = {
            k: v for k, v in memory.deliveries.items() if k[0] != tenant
        }
        memory.events = [event for event in memory.events if event.tenant != tenant]
        memory.forgotten.pop(tenant, None)
        self._purge_runs()
        self._purge_schedules(tenant)

    def _purge_runs(self) -> None:
        """Remove what belongs to runs that are gone."""
        memory = self._memory
        memory.outputs = {
            k: v for k, v in memory.outputs.items() if k[0] in memory.runs
        }
        memory.grants = {k: v for k, v in memory.grants.items() if k[0] in memory.runs}
        memory.says = {k: v for k, v in memory.says.items() if k[0] in memory.runs}
        memory.follow_ups = {
            k: v for k, v in memory.follow_ups.items() if k[0] in memory.runs
        }
        memory.admitted &= memory.runs.keys()

    def _purge_schedules(self, tenant: str) -> None:
        """Remove what is left of the tenant's deleted schedules; their ids stay."""
        memory = self._memory
        gone = {name for name, owner in memory.used.items() if owner == tenant}
        memory.definitions = {
            k: v for k, v in memory.definitions.items() if k[0] not in gone
        }
        for name in gone:
            memory.versions.pop(name, None)
            memory.pruned.pop(name, None)

    def levels(
        self, tenant: str, *, groups: Collection[str], profiles: Collection[str]
    ) -> Levels:
        memory = self._memory
        with memory.verb():
            owner = memory.tenants.get(tenant)
            there = [g for n in groups if (g := memory.groups.get((tenant, n)))]
            referred = {e.profile for e in (owner, *there) if e and e.profile}
            found = (
                memory.profiles.get((tenant, name)) for name in referred.union(profiles)
            )
            return Levels(
                tenant=kept(owner),
                groups={each.name: kept(each) for each in there},
                profiles={each.name: kept(each) for each in found if each},
            )

    def usage(self, tenant: str) -> Usage:
        with self._memory.verb():
            return self._usage(tenant)

    def _usage(self, tenant: str) -> Usage:
        memory = self._memory
        return Usage(
            schedules=sum(s.tenant == tenant for s in memory.schedules.values()),
            workers=sum(w.tenant == tenant for w in memory.workers.values()),
            pending_runs=sum(
                r.tenant == tenant and r.state is RunState.PENDING
                for r in memory.runs.values()
            ),
        )


class MemoryAnswers(Answers):
    """Answers in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def claim(self, tenant: str, key: str, answer: Answer) -> Answer | None:
        with self._memory.verb():
            stored = self._memory.answers.get((tenant, key))
            if stored is None:
                self._memory.answers[tenant, key] = kept(answer)
            return kept(stored)

    def complete(
        self, tenant: str, key: str, answer: Answer, *, claimed_at: datetime
    ) -> bool:
        with self._memory.verb():
            counts = self._has_claim(tenant, key, claimed_at)
            if counts:
                self._memory.answers[tenant, key] = kept(answer)
            return counts

    def release(self, tenant: str, key: str, *, claimed_at: datetime) -> None:
        with self._memory.verb():
            if self._has_claim(tenant, key, claimed_at):
                del self._memory.answers[tenant, key]

    def _has_claim(self, tenant: str, key: str, claimed_at: datetime) -> bool:
        stored = self._memory.answers.get((tenant, key))
        return (
            stored is not None
            and stored.status is None
            and stored.claimed_at == cut(claimed_at)
        )

    def prune(self, *, before: datetime, limit: int) -> int:
        with self._memory.verb():
            old = sorted(
                (answer.claimed_at, name)
                for name, answer in self._memory.answers.items()
                if answer.claimed_at < cut(before)
            )[:limit]
            for _, name in old:
                del self._memory.answers[name]
            return len(old)


class MemoryDuties(Duties):
    """Duties in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def hold(
        self, duty: str, holder: str, *, now: datetime, ttl: timedelta
    ) -> tuple[bool, datetime | None]:
        with self._memory.verb():
            known = self._memory.duties.get(duty)
            until = cut(cut(now) + ttl)
            if known is None:
                self._memory.duties[duty] = Duty(holder, until, cut(now))
                return True, None
            last = known.last
            free = known.holder in (None, holder) or known.until <= cut(now)
            if free:
                known.holder, known.until = holder, until
                known.last = max(last, cut(now))
            return free, last

    def release(self, duty: str, holder: str) -> None:
        with self._memory.verb():
            known = self._memory.duties.get(duty)
            if known is not None and known.holder == holder:
                known.holder = None

    def note(self, duty: str) -> str | None:
        with self._memory.verb():
            known = self._memory.duties.get(duty)
            return None if known is None else known.note

    def leave(self, duty: str, holder: str, note: str) -> bool:
        with self._memory.verb():
            known = self._memory.duties.get(duty)
            if known is None or known.holder != holder:
                return False
            known.note = note
            return True
