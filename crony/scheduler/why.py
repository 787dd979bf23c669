"""Why: what became of an instant of a schedule, or keeps it, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crony import errors
from crony.clock import MOMENT, Clock, cut
from crony.model import ids
from crony.model.run import Run
from crony.model.schedule import Version
from crony.model.state import Origin, Reason, RunState
from crony.scheduler.accounts import Account, Beyond, Entry
from crony.scheduler.endings import ended
from crony.scheduler.eras import Doubt, Era, History, history_of
from crony.scheduler.reasons import Answer, Because, Code
from crony.scheduler.stretches import latest
from crony.scheduler.timing import Timing
from crony.scheduler.waiting import Waiting
from crony.storage.contract import Store
from crony.wire import format_duration, format_instant

#: How far the nearest occurrences are looked for; a 29th of February on a given
#: weekday may be forty years away.
_FAR = timedelta(days=41 * 366)
_END = datetime(9999, 1, 1, tzinfo=UTC) - MOMENT

#: An ``at`` may have passed by so much when its schedule was made.
_EARLY = timedelta(days=2)


class Why:
    """Explains one instant of one schedule."""

    def __init__(self, store: Store, clock: Clock, *, timing: Timing) -> None:
        self._store = store
        self._clock = clock
        self._waiting = Waiting(store, lease_ttl=timing.lease_ttl)

    def of(self, tenant: str, reference: str, *, at: datetime | None = None) -> Answer:
        """Say what became of the occurrence at an instant, or why there is none.

        Without an instant: of the newest occurrence that has come due, else of the
        next, and of a paused schedule the newest that its pause concerns. Raises
        ``NotFound``.
        """
        now = cut(self._clock.now())
        since = min(now, at or now) - _EARLY
        history = history_of(self._store, tenant, reference, since=since)
        look = _Look(self._store, self._waiting, history, now)
        return look.answer(look.newest() if at is None else at)


@dataclass(frozen=True, slots=True)
class _Look:
    """One question about one schedule."""

    store: Store
    waiting: Waiting
    history: History
    now: datetime

    def newest(self) -> datetime:
        """Return the instant that somebody who names none means."""
        if self.history.deleted:
            found = self.store.runs.standing_at(
                self.history.schedule.tenant, self.history.schedule.id, self.now
            )
            return self.now if found is None else found.scheduled_for
        before = self._before(self.now + MOMENT)
        after = self._after(self.now)
        if self.history.schedule.paused and self.history.versions:
            # Who asks wants to hear of the pause, not of what ran before it.
            since = self.history.versions[-1].since
            if before is not None and before <= since:
                return after or before
        return before or after or self.now

    def answer(self, at: datetime) -> Answer:
        """Return the answer about an instant."""
        entry = self._entry(at)
        run: Run | None = None
        if entry is not None and entry.run is not None:
            run = self._whole(entry.run)
            because = self._of_record(run, at)
        else:
            if entry is None:
                run = self._withdrawn(at)
            because = self._of_none(at, entry, run)
        revision = entry.revision if entry is not None else None
        return Answer(
            at=at,
            schedule=self.history.schedule.id,
            because=because,
            occurrence=at if entry is not None or run is not None else None,
            before=self._before(at),
            after=self._after(at),
            run=None if run is None else run.id,
            revision=run.revision if run is not None else revision,
        )

    def _entry(self, at: datetime) -> Entry | None:
        account = Account(self.store, self.history, start=at, end=at, now=self.now)
        for entry in account.entries():
            if entry.run is None or entry.run.range_until is None:
                return entry
            # A stretch stands for the occurrences in it, not for all between them.
            due = self._era(at).first(at, at)
            if due is not None or at in (entry.at, entry.until):
                return entry
        return None

    def _era(self, at: datetime) -> Era:
        return self.history.eras(at, at)[0]

    def _whole(self, run: Run) -> Run:
        return self.store.runs.find(run.tenant, run.id) or run

    def _withdrawn(self, at: datetime) -> Run | None:
        """Return the run that an edit took back, if there was one."""
        schedule = self.history.schedule
        known = ids.run_id(schedule.id, Origin.SCHEDULE, at)
        found = self.store.runs.find(schedule.tenant, known)
        return found if found and found.state is RunState.WITHDRAWN else None

    # What a record says.

    def _of_record(self, run: Run, at: datetime) -> Because:
        if run.state is RunState.PENDING:
            return self.waiting.of(run, now=self.now)
        if run.state is RunState.SKIPPED and run.reason is Reason.PAUSED:
            return Because(Code.PAUSED, self._was_paused(self._era(at).version))
        return ended(self.store, run)

    def _was_paused(self, version: Version | None) -> str:
        if version is None or not version.paused:
            return "the schedule was paused when it came due"
        whose = "the schedule"
        if not version.definition.paused:
            whose = f'its group "{version.definition.group}"'
        return (
            f"{whose} was paused at {format_instant(version.since)}, until after it "
            "came due; POST the span to the schedule's /backfill to run it now"
        )

    # What no record says.

    def _of_none(
        self, at: datetime, entry: Entry | None, withdrawn: Run | None
    ) -> Because:
        if entry is not None:
            return self._of_state(entry)
        if withdrawn is not None:
            edited = format_instant(self.history.schedule.updated_at)
            return Because(
                Code.WITHDRAWN,
                "it was made ahead of its instant and taken back by an edit before it "
                f"started; since the edit at {edited} nothing is due then",
            )
        if self.history.deleted:
            return Because(
                Code.DELETED,
                "the schedule was deleted: what had not started never will, and "
                "nothing else of it comes due",
            )
        era = self._era(at)
        if era.doubt is not None:
            return Because(Code.UNKNOWN, _DOUBTS[era.doubt])
        outside = self._outside(at, era)
        if outside is not None:
            return Because(Code.OUTSIDE_BOUNDS, outside)
        return Because(Code.NOT_DUE, self._not_due())

    def _of_state(self, entry: Entry) -> Because:
        at = format_instant(entry.at)
        match entry.state:
            case RunState.SKIPPED:
                return Because(Code.PAUSED, self._paused("it is skipped"))
            case Beyond.UPCOMING if self.history.schedule.paused:
                return Because(Code.PAUSED, self._paused("it will be skipped"))
            case Beyond.UPCOMING:
                wait = format_duration(entry.at - self.now)
                return Because(Code.UPCOMING, f"it comes due in {wait}, at {at}")
            case Beyond.DUE:
                late = format_duration(self.now - entry.at)
                return Because(
                    Code.DUE,
                    f"it came due {late} ago and nothing ticked since; look at "
                    "/health/ready and at the service's log",
                )
            case Beyond.PRUNED:
                return Because(
                    Code.PRUNED,
                    "its run was removed by the schedule's retention; raise "
                    "retention.runs or retention.age to keep more",
                )
        return Because(
            Code.UNRECORDED,
            "it was due and settled, but there is no record of it, which must not "
            "be; /audit/occurrences tells what else is missing",
        )

    def _paused(self, so: str) -> str:
        schedule = self.history.schedule
        since = ""
        if self.history.versions:
            since = f" since {format_instant(self.history.versions[-1].since)}"
        if schedule.definition.paused:
            name = schedule.definition.name or schedule.id
            return f"the schedule is paused{since}: {so}; POST /schedules/{name}/resume"
        group = schedule.definition.group
        return (
            f'its group "{group}" is paused{since}: {so}; POST /groups/{group}/resume'
        )

    def _outside(self, at: datetime, era: Era) -> str | None:
        """Say which bound of the schedule the instant lies beyond."""
        schedule = self.history.schedule
        if era.version is None:
            created = format_instant(schedule.created_at)
            return f"the schedule was made at {created}; nothing before it is due"
        definition = era.version.definition
        if definition.start_at is not None and at < definition.start_at:
            return f"it lies before start_at, {format_instant(definition.start_at)}"
        if definition.end_at is not None and at >= definition.end_at:
            return f"it does not lie before end_at, {format_instant(definition.end_at)}"
        if at > era.last:
            return f"max_runs, {definition.max_runs}, was reached before it"
        return None

    def _not_due(self) -> str:
        try:
            said = self.history.calendar(self.history.versions[-1]).describe()
        except errors.InvalidTrigger as exc:
            said = f"never: {exc.detail}"
        return f"the schedule is not due at that instant; it is due: {said}"

    # The nearest others.

    def _before(self, at: datetime) -> datetime | None:
        end = at - MOMENT
        start = min(self.history.schedule.created_at, self.now) - _EARLY
        if end < start:
            return None
        for era in reversed(self.history.eras(start, end)):
            if era.calendar is not None:
                found = latest(era.calendar, era.low, min(era.high, era.last))
                if found is not None:
                    return found
        return None

    def _after(self, at: datetime) -> datetime | None:
        start = at + MOMENT
        if start > _END:
            return None
        # The calendar of the machine ends sooner than a sum may.
        for era in self.history.eras(start, start + min(_FAR, _END - start)):
            found = era.first(era.low, era.high)
            if found is not None:
                return found
        return None


_DOUBTS = {
    Doubt.HISTORY: "the versions that the schedule had then are not kept any more",
    Doubt.RULES: (
        "its time zone had other rules in the release of the tz database of that time, "
        "so that it can't be told what was due"
    ),
    Doubt.ZONE: "its time zone is not in this host's tz database; install tzdata anew",
}
