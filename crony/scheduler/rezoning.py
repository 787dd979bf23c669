"""Rezoning: a new release of the tz database moves the occurrences ahead of us.

Cursors are worked out ahead, so that one of a zone whose rules changed may name an
instant that no longer is an occurrence, and hide one before it. Whoever has the duty
to tick compares the release it uses with the one on record, and where they differ
goes through all schedules, a page in each round, while ticking goes on. How far it
came is left as a note with the duty, so that the next goes on from there.

What was due up to the last tick before the change stays as it was settled. From
there on the new rules hold, also for what came due since: each schedule's cursor goes
there in one conditional write, that of an edit whose revision stays. Where a zone's
rules changed and the instants ahead did not, that write says so alone: a version tells
from when on they hold. To do it twice changes nothing, and a release that does not
touch a schedule's zone leaves the schedule as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from crony import errors, log
from crony.clock import EPOCH, MOMENT, cut
from crony.model import ids
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState
from crony.scheduler.edits import Edits
from crony.scheduler.making import stretch
from crony.scheduler.materializer import runs_of
from crony.scheduler.occurrences import calendar_of, with_cursor
from crony.scheduler.policies import Policies
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Materialisation, Position, Store
from crony.triggers import rules_of, zone_release

_log = log.get(__name__)

#: So many schedules are looked at in one step.
_PAGE = 100


@dataclass(frozen=True, slots=True)
class _Walk:
    """How far the walk came under a release; ``after`` is the last place looked at."""

    release: str
    #: The last tick under the release before.
    since: datetime
    after: Position | None = None
    done: bool = False

    def text(self) -> str:
        """Return the note that is left with the duty."""
        since = ids.milliseconds(self.since)
        return json.dumps([self.release, since, self.after, self.done])

    @classmethod
    def of(cls, note: str) -> _Walk:
        """Return the walk of a note."""
        release, since, after, done = json.loads(note)
        # An older release walked by the id alone: then it begins anew.
        place = (after[0], after[1]) if isinstance(after, list) else None
        return cls(release, EPOCH + timedelta(milliseconds=since), place, done)


class Rezoner:
    """Works cursors out anew where the tz database has changed."""

    def __init__(
        self,
        store: Store,
        *,
        policies: Policies,
        edits: Edits,
        wakes: Wakes,
        duty: str,
        holder: str,
        release: Callable[[], str] = zone_release,
    ) -> None:
        self._store = store
        self._policies = policies
        self._edits = edits
        self._wakes = wakes
        self._duty = duty
        self._holder = holder
        self._release = release
        self._walk: _Walk | None = None
        self._taken_at: datetime | None = None

    def step(self, now: datetime, taken_at: datetime, last: datetime) -> bool:
        """Look at the next schedules; return whether there may be more to do at once.

        The caller has the duty since ``taken_at``; ``last`` is the newest tick
        before that.
        """
        if self._walk is None or taken_at != self._taken_at:
            self._walk = self._resumed(min(last, now))
            self._taken_at = taken_at
        walk = self._walk
        if walk.done:
            return False
        page, end = self._store.schedules.walk(limit=_PAGE, after=walk.after)
        self._look_at(page, since=walk.since)
        walk = replace(walk, after=end, done=end is None)
        # Another has the duty now: it goes on from the last note.
        left = self._store.duties.leave(self._duty, self._holder, walk.text())
        self._walk = walk if left else None
        if walk.done and left:
            _log.info("schedules follow the present time zones")
        return left

    def _resumed(self, last: datetime) -> _Walk:
        """Return where to go on: from the note, or from the start."""
        note = self._store.duties.note(self._duty)
        release = self._release()
        walk = None if note is None else _Walk.of(note)
        if walk is not None and walk.release == release:
            return walk
        # A walk that another release broke off left schedules at the one before.
        unfinished = walk is not None and not walk.done
        since = min(last, walk.since) if walk is not None and unfinished else last
        walk = _Walk(release, cut(since))
        self._store.duties.leave(self._duty, self._holder, walk.text())
        return walk

    def _look_at(self, page: Sequence[Schedule], *, since: datetime) -> None:
        zoned = [schedule for schedule in page if _follows_a_zone(schedule)]
        newest: dict[str, Sequence[Run]] = {}
        for tenant, group in groupby(zoned, key=lambda each: each.tenant):
            names = [each.id for each in group]
            newest |= self._store.runs.recent(tenant, names, limit=1)
        for schedule in zoned:
            # An edit has worked the cursor out later than that.
            start = max(since, schedule.updated_at)
            ahead = any(
                run.scheduled_for > start for run in newest.get(schedule.id, ())
            )
            try:
                self._follow(schedule, start, ahead=ahead)
            except errors.Unavailable:
                raise
            except Exception:  # noqa: BLE001  # one bad row must not stop the others
                _log.exception(
                    "a schedule can't follow its time zone",
                    tenant=schedule.tenant,
                    schedule=schedule.id,
                )

    def _follow(self, schedule: Schedule, start: datetime, *, ahead: bool) -> None:
        """Change the schedule if its cursor and the runs ahead are not those of now."""
        if schedule.cursor is None:
            return
        if schedule.cursor <= start:
            # All that follows will be worked out under the rules of now.
            self._note(schedule, schedule.cursor - MOMENT)
            return
        calendar = calendar_of(schedule)
        if not ahead and calendar.first(start) == schedule.cursor:
            self._note(schedule, start)
            return
        runs = _occurrences(runs_of(self._store, schedule, since=start + MOMENT))
        stretches = [run for run in runs if run.range_until is not None]
        if stretches:
            self._fill(schedule, start, min(stretches, key=lambda r: r.scheduled_for))
            self._note(schedule, schedule.cursor - MOMENT)
            return
        made = sorted({run.scheduled_for for run in runs} - {schedule.cursor})
        due = calendar.between(start, schedule.cursor, limit=len(made) + 2)
        if due != [*made, schedule.cursor]:
            self._rezone(schedule, start)
        else:
            # What was made stays as it is.
            self._note(schedule, made[-1] if made else start)

    def _fill(self, schedule: Schedule, start: datetime, found: Run) -> None:
        """Record what lies before a stretch that was recorded under the rules of now.

        It was settled from the old cursor on, before it was looked at here; to go
        through it again would count it twice.
        """
        end = found.scheduled_for - MOMENT
        due = calendar_of(schedule).between(start, end, limit=_PAGE)
        if not due or schedule.cursor is None:
            return
        assert found.reason is not None
        record = stretch(
            schedule,
            due[0],
            policy=self._policies.of(schedule.tenant, schedule.definition).policy,
            now=found.created_at,
            state=found.state,
            reason=found.reason,
            count=len(due),
            until=due[-1] if len(due) > 1 else None,
        )
        item = Materialisation(
            schedule=schedule.id,
            tenant=schedule.tenant,
            revision=schedule.revision,
            cursor=schedule.cursor,
            next_cursor=schedule.cursor,
            runs=(record,),
        )
        self._store.schedules.materialise([item], now=found.created_at)

    def _rezone(self, schedule: Schedule, start: datetime) -> None:
        """Let the rules of now hold from ``start`` on.

        Unconfirmed runs after it are withdrawn. The materialiser goes on from the
        new cursor, takes back what is due all the same, and knows the others by id.
        """
        cursor = calendar_of(schedule).first(start)
        if self._write(schedule, with_cursor(schedule, cursor), since=start):
            _log.info(
                "schedule follows its time zone",
                tenant=schedule.tenant,
                schedule=schedule.id,
                next_run_at=cursor,
            )

    def _note(self, schedule: Schedule, since: datetime) -> None:
        """Let the rules of now hold from then on; no occurrence is made after that."""
        if schedule.rules != rules_of(schedule.definition.trigger):
            self._write(schedule, schedule, since=since)

    def _write(self, found: Schedule, changed: Schedule, *, since: datetime) -> bool:
        """Replace a schedule by what the rules of now make of it; whether it counted.

        Else another was first, and worked the cursor out anew.
        """
        holds = self._policies.of(found.tenant, found.definition)
        try:
            counted, ready = self._store.schedules.update(
                replace(changed, rules=rules_of(found.definition.trigger)),
                limit=holds.policy.limit,
                expected=found,
                settled=(),
                now=since,
            )
        except errors.Contended:
            # Its group was paused or resumed: with that the cursor is worked out anew.
            self._edits.hold(found, holds.group)
            return False
        self._wakes.publish(ready)
        return counted


def _follows_a_zone(schedule: Schedule) -> bool:
    """Return whether a release of the tz database may move the occurrences."""
    try:
        return rules_of(schedule.definition.trigger) != ""
    except errors.InvalidTrigger:
        # Its zone is gone.
        return True


def _occurrences(runs: Sequence[Run]) -> list[Run]:
    return [
        run
        for run in runs
        if run.origin is Origin.SCHEDULE and run.state is not RunState.WITHDRAWN
    ]
