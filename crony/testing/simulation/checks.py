"""What single verbs must and must not do, worked out beside the driver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crony.clock import cut
from crony.model.lease import Change, Closing, Confirmed, Holding, Loss, Standing
from crony.model.policy import REPLACE, SKIP
from crony.model.run import Run
from crony.model.state import EXECUTING, HELD, Origin, Reason, RunState
from crony.model.worker import Worker
from crony.scheduler.ticker import DUTY
from crony.testing.simulation.faults import Violation
from crony.testing.simulation.mirror import Mirror, Step

Args = tuple[Any, ...]
Named = dict[str, Any]

_BESIDE = (Origin.BACKFILL, Origin.HOOK)
_ACTIVE = (RunState.PENDING, *HELD)


class Checks:
    """One method per verb that has something to be held against."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._workers: dict[str, Worker] = {}
        self._expires: dict[tuple[str, int], datetime] = {}
        self._preempted: dict[str, datetime] = {}
        #: Runs that were settled before their instant, and an edit that left them.
        self.ahead: set[str] = set()
        #: What was to go on elsewhere, and was stopped again: no event tells of that.
        self._for_good: set[str] = set()
        #: When ticks were put on record.
        self.ticks: list[datetime] = []

    def before(self, name: str, args: Args, named: Named) -> object:
        """Work out what a verb should do, where it can be."""
        match name:
            case "leases.lease":
                return self._expected_offers(args[1], **named)
            case "leases.overlap":
                return self._expected_overlaps(**named)
            case "leases.confirm" | "leases.report":
                return {item.run: self._mirror.runs.get(item.run) for item in args[2]}
            case "leases.renew":
                return {
                    item.run: self._mirror.runs.get(item.run)
                    for item in named["holding"]
                }
            case "leases.preempt":
                return list(self._mirror.live.values())
        return None

    def after(
        self,
        name: str,
        args: Args,
        named: Named,
        *,
        result: Any,  # whatever the verb returns
        before: Any,  # what ``before`` made of it
        steps: Sequence[Step],
    ) -> None:
        """Hold what a verb did against what it should do."""
        self._note_limits(name, args, named, result)
        self._note_ahead(name, args, named.get("now"))
        match name:
            case "leases.lease":
                self._leased(args[1], result, before, named)
            case "leases.confirm":
                self._confirmed(args[1], args[2], result, before, named["now"])
            case "leases.renew":
                self._renewed(args[1], result[0], before)
            case "leases.report":
                self._reported(args[1], args[2], result[0], before, steps)
            case "leases.expire":
                self._expired(result[0], named["now"])
            case "runs.cancel":
                self._for_good.add(args[1])
            case "leases.lapse":
                self._lapsed(result[0], named["now"])
            case "duties.hold" if args[0] == DUTY and result[0]:
                self.ticks.append(named["now"])
            case "leases.overlap":
                self._overlapped(result[0], before)
            case "leases.preempt":
                self._preempts(result, before, named["now"])
            case "workers.register":
                self._workers[result.id] = result

    def _note_limits(self, name: str, args: Args, named: Named, result: Any) -> None:
        mirror = self._mirror
        created = name == "schedules.create" and result
        if created or (name == "schedules.update" and result[0]):
            mirror.limits[args[0].id] = named["limit"]
        elif name == "schedules.materialise":
            for item, counted in zip(args[0], result[0], strict=True):
                if counted and item.limit is not None:
                    mirror.limits[item.schedule] = item.limit
        elif name == "groups.put" and result[0]:
            mirror.group_limits[args[0].name] = args[0].max_concurrent
        elif name == "tenants.put" and result[0]:
            mirror.tenant_limit = args[0].max_concurrent

    def _note_ahead(self, name: str, args: Args, now: datetime | None) -> None:
        """Note what an edit found settled beyond its own instant: that stays."""
        if name not in ("schedules.update", "schedules.delete") or now is None:
            return
        for run in self._mirror.by_schedule.get(args[0].id, {}).values():
            fixed = run.over or run.state in EXECUTING
            if fixed and run.scheduled_for > cut(now):
                self.ahead.add(run.id)

    # Leasing: order and limits.

    def _expected_offers(
        self,
        worker: str,
        *,
        slots: int,
        horizon: datetime,
        now: datetime,
        **_: object,
    ) -> list[str]:
        """Return what a worker should be offered, in order."""
        mirror, found = self._mirror, self._workers[worker]
        held = list(mirror.held())
        in_tenant = len(held)
        in_group: dict[str, int] = {}
        for run in held:
            in_group[run.group] = in_group.get(run.group, 0) + 1
        mine = [
            run
            for run in mirror.live.values()
            if run.state in HELD and mirror.holder.get(run.id) == worker
        ]
        share = max(1, found.slots // 2) - sum(run.catch_up for run in mine)
        given: list[str] = []
        for run in mirror.leasable(cut(horizon), now=cut(now)):
            if len(given) >= slots:
                break
            counts = run.origin is not Origin.HOOK
            most = mirror.group_limits.get(run.group)
            full = counts and (
                (most is not None and in_group.get(run.group, 0) >= most)
                or (
                    mirror.tenant_limit is not None and in_tenant >= mirror.tenant_limit
                )
            )
            if full or run.queue not in found.queues or (run.catch_up and share < 1):
                continue
            share -= run.catch_up
            in_tenant += counts
            in_group[run.group] = in_group.get(run.group, 0) + counts
            given.append(run.id)
        return given

    def _leased(
        self,
        worker: str,
        offers: Any,
        expected: list[str],
        named: Named,
    ) -> None:
        mirror, now = self._mirror, named["now"]
        for offer in offers:
            mirror.holder[offer.run.id] = worker
            self._expires[offer.run.id, offer.token] = offer.expires_at
        counted = [o.run for o in offers if o.run.origin is not Origin.HOOK]
        self._within_limits({run.schedule for run in counted})
        if any(now - at < 2 * named["lease_ttl"] for at in self._preempted.values()):
            return  # something may be reserved for one worker
        got = [offer.run.id for offer in offers]
        if got != expected:
            raise Violation("order", f"{worker} got {got}, not {expected}")

    def _within_limits(self, schedules: set[str]) -> None:
        mirror = self._mirror
        held = list(mirror.held())
        for schedule in schedules:
            number = sum(run.schedule == schedule for run in held)
            if number > mirror.limit(schedule):
                raise Violation("limit", f"{number} runs of {schedule} are in hands")
        for group in {run.group for run in held if run.schedule in schedules}:
            number = sum(run.group == group for run in held)
            most = mirror.group_limits.get(group)
            if most is not None and number > most:
                raise Violation("limit", f"{number} runs of group {group} are in hands")
        most = mirror.tenant_limit
        if schedules and most is not None and len(held) > most:
            raise Violation("limit", f"{len(held)} runs of the tenant are in hands")

    # Tokens.

    def _owns(self, worker: str, run: Run | None, token: int) -> bool:
        return (
            run is not None
            and run.token == token
            and self._mirror.holder.get(run.id) == worker
        )

    def _confirmed(
        self,
        worker: str,
        items: Sequence[Holding],
        answers: Sequence[Confirmed],
        runs: dict[str, Run | None],
        now: datetime,
    ) -> None:
        for item, answer in zip(items, answers, strict=True):
            run = runs[item.run]
            if answer.standing is not Standing.ACCEPTED:
                continue
            leased = run is not None and run.state is RunState.LEASED
            if run is None or not leased or not self._owns(worker, run, item.token):
                raise Violation("fenced", f"confirm of {item} was accepted for {run}")
            if run.deadline_at is not None and run.deadline_at <= cut(now):
                raise Violation("deadline", f"{run.id} was confirmed after it")
            if answer.expires_at is not None:
                self._expires[item.run, item.token] = answer.expires_at

    def _renewed(
        self,
        worker: str,
        renewed: Any,
        runs: dict[str, Run | None],
    ) -> None:
        for each in renewed:
            run = runs[each.run]
            held = run is not None and run.state in HELD
            if not held or not self._owns(worker, run, each.token):
                raise Violation("fenced", f"renewal of {each} was granted for {run}")
            key = (each.run, each.token)
            if each.expires_at < self._expires.get(key, each.expires_at):
                raise Violation("lease", f"the end of {key} moved back")
            self._expires[key] = each.expires_at

    def _reported(
        self,
        worker: str,
        items: Sequence[Closing],
        answers: Any,
        runs: dict[str, Run | None],
        steps: Sequence[Step],
    ) -> None:
        accepted = set()
        for item, answer in zip(items, answers, strict=True):
            if answer.standing is not Standing.ACCEPTED:
                continue
            run = runs[item.run]
            held = run is not None and run.state in HELD
            if not held or not self._owns(worker, run, item.token):
                raise Violation(
                    "fenced", f"a report on {item.run} {item.token} counted"
                )
            accepted.add(item.run)
        for step in steps:
            run = step.after
            if step.before is not None and run.id in runs and run.id not in accepted:
                raise Violation("fenced", f"a refused report changed {run.id}")
            again = run.state is RunState.PENDING and run.id in accepted
            late = run.deadline_at is not None and run.available_at >= run.deadline_at
            if again and late and run.reason is not Reason.PREEMPTED:
                raise Violation("deadline", f"{run.id} is retried after its deadline")

    def _expired(self, losses: Sequence[Loss], now: datetime) -> None:
        for loss in losses:
            end = self._expires.get((loss.run, loss.token))
            if end is not None and end > cut(now):
                raise Violation("lease", f"{loss.run} was lost before {end}")

    def _lapsed(self, changes: Sequence[Change], now: datetime) -> None:
        for change in changes:
            run = self._mirror.runs[change.run]
            if run.deadline_at is None or run.deadline_at > cut(now):
                raise Violation(
                    "deadline", f"{run.id} expired before {run.deadline_at}"
                )

    # Decisions.

    def _expected_overlaps(
        self, *, now: datetime, limit: int
    ) -> list[tuple[str, RunState]]:
        """Decide, beside the driver, on the overlaps that are due."""
        mirror = self._mirror
        runs = dict(mirror.live)
        undecided = [
            run
            for run in runs.values()
            if run.state is RunState.PENDING
            and run.overlap in (SKIP, REPLACE)
            and run.id not in mirror.decided
            and run.due_at <= cut(now)
        ]
        changed: list[tuple[str, RunState]] = []
        states = {run.id: run.state for run in runs.values()}
        gone = {
            run.id
            for run in runs.values()
            if _stops_for_good(run)
            or (run.state is RunState.STOPPING and run.id in self._for_good)
        }
        for run in sorted(undecided, key=_place)[:limit]:
            mirror.decided.add(run.id)
            way = sorted(
                (
                    other
                    for other in runs.values()
                    if other.schedule == run.schedule
                    and other.origin not in _BESIDE
                    and states[other.id] in _ACTIVE
                    and _place(other) < _place(run)
                ),
                key=_place,
            )
            most = mirror.limit(run.schedule)
            if len(way) < most:
                continue
            if run.overlap == SKIP:
                states[run.id] = RunState.SKIPPED
                changed.append((run.id, RunState.SKIPPED))
                continue
            left = [other for other in way if other.id not in gone]
            while left and len(left) >= most:
                other = left.pop(0)
                gone.add(other.id)
                stopped = states[other.id] in EXECUTING
                after = RunState.STOPPING if stopped else RunState.CANCELLED
                states[other.id] = after
                changed.append((other.id, after))
        return changed

    def _overlapped(
        self, changes: Sequence[Change], expected: list[tuple[str, RunState]]
    ) -> None:
        got = [(change.run, change.state) for change in changes]
        self._for_good.update(run for run, _ in got)
        if sorted(got) != sorted(expected):
            raise Violation("overlap", f"decided {got}, not {expected}")

    def _preempts(
        self, victims: Sequence[Change], before: Sequence[Run], now: datetime
    ) -> None:
        if not victims:
            return
        runs = {run.id: run for run in before}
        best = max(
            (
                run.priority
                for run in before
                if run.state is RunState.PENDING and run.origin is not Origin.HOOK
            ),
            default=None,
        )
        for change in victims:
            run = runs[change.run]
            self._preempted[change.run] = now
            if not run.policy.preemptible or run.state is not RunState.RUNNING:
                raise Violation("preempt", f"{run.id} may not be stopped for another")
            if best is None or best <= run.priority:
                raise Violation("preempt", f"{run.id} gave way to nothing higher")


def _place(run: Run) -> tuple[datetime, str]:
    return (run.due_at, run.id)


def _stops_for_good(run: Run) -> bool:
    return run.state is RunState.STOPPING and run.reason is not Reason.PREEMPTED
