"""Leases, in Redis: handing out, confirming, renewing, reporting, taking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crony.model import policy
from crony.model.hook import HookKind
from crony.model.lease import (
    Change,
    Closed,
    Closing,
    Confirmed,
    Holding,
    Loss,
    Offer,
    Ready,
    Renewed,
    Revoked,
    Scope,
    Standing,
)
from crony.model.run import Progress, Run
from crony.model.schedule import Definition
from crony.model.state import Reason, RunState
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import (
    definition_in,
    duration_out,
    instant_in,
    instant_out,
    maybe_instant_in,
)
from crony.storage.contract import Leases
from crony.storage.documents import Document, document_out
from crony.storage.redis import tenantwise
from crony.storage.redis.engine import Engine
from crony.storage.redis.records import Reader, Record
from crony.storage.redis.schedules import ready
from crony.storage.redis.values import value_in

_GRACE = duration_out(policy.CONFIRM_GRACE) // 1000
#: The sets of what comes due, and how much later than its score that is.
_AGENDA = {
    "waiting": 0,
    "overlaps": 0,
    "deadlines": 0,
    "pulses": 0,
    "leases": 0,
    "offers": _GRACE,
}


class RedisLeases(Leases):
    """Leases as part of the records of runs."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader

    def begin(
        self, tenant: str, worker: str, *, session: str, sequence: int, now: datetime
    ) -> Worker:
        found = self._engine.call(
            "lease_begin",
            tenant,
            worker=worker,
            session=session,
            sequence=sequence,
            now=instant_out(now),
        )
        return value_in(Worker, found)

    def renew(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        holding: Sequence[Holding],
        now: datetime,
        lease_ttl: timedelta,
    ) -> tuple[Sequence[Renewed], Sequence[Revoked]]:
        renewed, revoked = self._engine.call(
            "lease_renew",
            tenant,
            worker=worker,
            session=session,
            holding=_pairs(holding),
            now=instant_out(now),
            lease_ttl=duration_out(lease_ttl),
        )
        return (
            tuple(Renewed(run, token, instant_in(at)) for run, token, at in renewed),
            tuple(Revoked(*each) for each in revoked),
        )

    def reclaim(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        holding: Sequence[Holding],
        now: datetime,
    ) -> tuple[Sequence[Loss], Ready]:
        losses, queues = self._engine.call(
            "lease_reclaim",
            tenant,
            worker=worker,
            session=session,
            sequence=sequence,
            holding=_pairs(holding),
            now=instant_out(now),
        )
        return tuple(_loss(tenant, each) for each in losses), ready(tenant, queues)

    def lease(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        slots: int,
        horizon: datetime,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Offer]:
        found = self._engine.call(
            "lease_lease",
            tenant,
            worker=worker,
            session=session,
            sequence=sequence,
            slots=slots,
            horizon=instant_out(horizon),
            now=instant_out(now),
            lease_ttl=duration_out(lease_ttl),
        )
        records = [record for record, _ in found["offers"]]
        runs = self._reader.runs(tenant, records)
        return tuple(
            _offer(run, record, found["definitions"][number])
            for run, (record, number) in zip(runs, found["offers"], strict=True)
        )

    def confirm(
        self,
        tenant: str,
        worker: str,
        items: Sequence[Holding],
        *,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Confirmed]:
        answers = self._engine.call(
            "lease_confirm",
            tenant,
            worker=worker,
            items=_pairs(items),
            now=instant_out(now),
            lease_ttl=duration_out(lease_ttl),
        )
        return tuple(
            Confirmed(
                run=item.run,
                token=item.token,
                standing=Standing(answer["standing"]),
                state=_state(answer),
                start_at=maybe_instant_in(answer.get("start_at")),
                expires_at=maybe_instant_in(answer.get("expires_at")),
            )
            for item, answer in zip(items, answers, strict=True)
        )

    def report(
        self, tenant: str, worker: str, items: Sequence[Closing], *, now: datetime
    ) -> tuple[Sequence[Closed], Ready]:
        answers, queues = self._engine.call(
            "lease_report",
            tenant,
            worker=worker,
            items=[_closing(item) for item in items],
            now=instant_out(now),
        )
        closed = tuple(
            Closed(item.run, item.token, Standing(answer["standing"]), _state(answer))
            for item, answer in zip(items, answers, strict=True)
        )
        return closed, ready(tenant, queues)

    def progress(
        self, tenant: str, worker: str, token: int, entry: Progress
    ) -> Standing:
        standing = self._engine.call(
            "lease_progress",
            tenant,
            worker=worker,
            token=token,
            entry=document_out(entry),
        )
        return Standing(standing)

    def expire(
        self, *, now: datetime, limit: int, include_leases: bool
    ) -> tuple[Sequence[Loss], Ready]:
        present = instant_out(now)
        sets = [("offers", present - _GRACE)]
        if include_leases:
            sets.append(("leases", present))
        offers, leases = limit, limit if include_leases else 0
        losses: list[Loss] = []
        lines: set[tuple[str, str]] = set()
        for tenant in tenantwise.due(self._engine, *sets):
            some, more, lost, queues = self._engine.call(
                "lease_expire",
                tenant,
                now=present,
                unconfirmed=present - _GRACE,
                offers=offers,
                leases=leases,
            )
            offers, leases = offers - some, leases - more
            losses += [_loss(tenant, each) for each in lost]
            lines |= ready(tenant, queues)
            if offers <= 0 and leases <= 0:
                break
        return tuple(losses), frozenset(lines)

    def overlap(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        return self._decided("lease_overlap", "overlaps", now=now, limit=limit)

    def lapse(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        return self._decided("lease_lapse", "deadlines", now=now, limit=limit)

    def _decided(
        self, script: str, of: str, *, now: datetime, limit: int
    ) -> tuple[Sequence[Change], Ready]:
        """Decide on what has come due in a set."""
        present = instant_out(now)
        changes: list[Change] = []
        lines: set[tuple[str, str]] = set()
        for tenant in tenantwise.due(self._engine, (of, present)):
            looked, changed, queues = self._engine.call(
                script, tenant, now=present, limit=limit
            )
            changes += [_change(tenant, each) for each in changed]
            lines |= ready(tenant, queues)
            limit -= looked
            if limit <= 0:
                break
        return tuple(changes), frozenset(lines)

    def preempt(self, *, now: datetime, limit: int) -> Sequence[Change]:
        victims: list[Change] = []
        for tenant in self._preemptible():
            changed = self._engine.call(
                "lease_preempt",
                tenant,
                now=instant_out(now),
                since=instant_out(now - policy.PREEMPT_AFTER),
                limit=limit - len(victims),
            )
            victims += [_change(tenant, each) for each in changed]
            if len(victims) >= limit:
                break
        return tuple(victims)

    def preemptible(self) -> bool:
        return bool(self._preemptible())

    def _preemptible(self) -> list[str]:
        """Return the tenants with runs that may give way."""
        firsts = tenantwise.earliest(self._engine, ["preemptible"])
        return [tenant for tenant, (first,) in firsts.items() if first is not None]

    def pulse(self, *, now: datetime, limit: int) -> int:
        present = instant_out(now)
        left = 0
        for tenant in tenantwise.due(self._engine, ("pulses", present)):
            left += self._engine.call(
                "lease_pulse", tenant, now=present, limit=limit - left
            )
            if left >= limit:
                break
        return left

    def scopes(self, tenant: str, run: str) -> Sequence[Scope]:
        found = self._engine.call(
            "run_scopes", tenant, tenant=tenant, run=run, most=rules.SCOPE_RUNS
        )
        return tuple(
            Scope(
                kind=kind,
                name=scope["name"],
                limit=_limit(scope.get("limit")),
                held=scope["held"],
                runs=tuple(scope["runs"]),
            )
            for kind, scope in zip(("schedule", "group", "tenant"), found, strict=False)
        )

    def promote(self, *, horizon: datetime, limit: int) -> Ready:
        until = instant_out(horizon)
        lines: set[tuple[str, str]] = set()
        for tenant in tenantwise.due(self._engine, ("waiting", until)):
            looked, queues = self._engine.call(
                "lease_promote", tenant, horizon=until, limit=limit
            )
            lines |= ready(tenant, queues)
            limit -= looked
            if limit <= 0:
                break
        return frozenset(lines)

    def earliest(self) -> datetime | None:
        firsts = tenantwise.earliest(self._engine, list(_AGENDA))
        come = [
            score + later
            for scores in firsts.values()
            for score, later in zip(scores, _AGENDA.values(), strict=True)
            if score is not None
        ]
        return maybe_instant_in(min(come, default=None))

    def inputs(
        self, tenant: str, runs: Sequence[str]
    ) -> Mapping[str, tuple[Run, Definition]]:
        found = self._engine.call("run_inputs", tenant, runs=list(runs))
        read = self._reader.runs(tenant, [record for record, _ in found])
        return {
            run.id: (run, definition_in(text))
            for run, (_, text) in zip(read, found, strict=True)
        }


def _pairs(items: Sequence[Holding]) -> list[tuple[str, int]]:
    return [(item.run, item.token) for item in items]


def _closing(item: Closing) -> Document:
    """Return a report, with what it would be as words of progress."""
    heard = rules.hook_progress(
        "", 0, kind=HookKind.PROGRESS, at=item.finished_at, says=item.says
    )
    return {
        **document_out(item),
        "says": item.says or None,
        "heard": None if heard is None else document_out(heard),
    }


def _offer(run: Run, record: Record, definition: str) -> Offer:
    return Offer(
        run=run,
        definition=definition_in(definition),
        token=run.token,
        attempt=run.attempt,
        start_at=instant_in(record["start_at"]),
        expires_at=instant_in(record["expires_at"]),
    )


def _state(answer: Mapping[str, Any]) -> RunState | None:
    state = answer.get("state")
    return None if state is None else RunState(state)


def _loss(tenant: str, found: Record) -> Loss:
    return Loss(
        found["run"],
        found["schedule"],
        tenant,
        found["worker"],
        found["token"],
        RunState(found["state"]),
    )


def _change(tenant: str, found: Record) -> Change:
    reason = found.get("reason")
    return Change(
        found["run"],
        found["schedule"],
        tenant,
        found.get("worker"),
        RunState(found["state"]),
        None if reason is None else Reason(reason),
    )


def _limit(limit: int | None) -> int | None:
    return None if limit == policy.NO_LIMIT else limit
