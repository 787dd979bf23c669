"""A tenant's schedules and their definitions, as one verb reads and changes them.

Schedules change by ``put``, ``move`` and ``drop``: so no event of a change can be
forgotten, and no number is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from crony import errors
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule, Version
from crony.storage import changes
from crony.storage.codec import cut, definition_in, definition_out, kept
from crony.storage.documents import Document
from crony.storage.mongodb import events, kinds, schedule_documents, tallies
from crony.storage.mongodb.schedule_documents import Stored
from crony.storage.mongodb.work import Work, id_of


class ScheduleBook:
    """What is read is kept for as long as the verb lasts."""

    def __init__(self, work: Work, *, touched: set[str]) -> None:
        self._work = work
        self._touched = touched
        self._stored: dict[str, Stored | None] = {}
        self._definitions: dict[tuple[str, int], Definition] = {}
        self._holders: dict[str, str | None] = {}

    def load(self, schedules: Iterable[str]) -> None:
        """Read schedules that are needed soon, all at once."""
        unread = [name for name in dict.fromkeys(schedules) if name not in self._stored]
        found = self._work.get_all(kinds.SCHEDULES, unread)
        for name in unread:
            document = found.get(name)
            self._stored[name] = (
                None if document is None else schedule_documents.stored_in(document)
            )

    def stored(self, schedule: str) -> Stored | None:
        """Return a schedule that ever was."""
        if schedule not in self._stored:
            self.load([schedule])
        return self._stored[schedule]

    def get(self, schedule: str) -> Schedule | None:
        """Return a schedule that is there."""
        found = self.stored(schedule)
        return None if found is None else found.schedule

    def load_names(self, names: Iterable[str]) -> None:
        """Look names up that are needed soon, all at once."""
        unread = [name for name in dict.fromkeys(names) if name not in self._holders]
        if unread:
            where: Document = {"name": {"$in": unread}, "there": True}
            found = self._work.find(kinds.SCHEDULES, where, fields=["name", "there"])
            self._holders.update(dict.fromkeys(unread))
            self._holders.update(
                {cast("str", each["name"]): id_of(each) for each in found}
            )

    def holder(self, name: str) -> str | None:
        """Return the id of the schedule that has a name."""
        self.load_names([name])
        return self._holders[name]

    def limit(self, schedule: Schedule, limit: int) -> None:
        """Give a schedule another limit, while it is at this revision."""
        stored = self.stored(schedule.id)
        now = None if stored is None else stored.schedule
        if stored is None or now is None or now.revision != schedule.revision:
            return
        if stored.limit != limit:
            self._keep(replace(stored, limit=limit), before=now)

    def limit_of(self, schedule: str) -> int:
        """Return the limit of a schedule that ever was."""
        found = self.stored(schedule)
        return 0 if found is None else found.limit

    def put(self, schedule: Schedule, *, limit: int, now: datetime) -> None:
        """Keep a schedule, its definition and its version; leave the events."""
        stored = self.stored(schedule.id)
        before = None if stored is None else stored.schedule
        after = kept(schedule)
        versions = 0 if stored is None else stored.versions
        since = cut(now)
        if before is None:
            since = after.created_at - timedelta(milliseconds=1)
        if before is None or before.revision != after.revision:
            self.put_definition(after.id, after.revision, after.definition)
        if before is None or changes.is_other_version(before, after):
            versions += 1
            self.put_version(changes.version_of(after, since=since), number=versions)
        self._keep(Stored(after.id, limit, versions, after), before=before)
        words = ["created"] if before is None else changes.of_update(before, after)
        events.of_schedule(self._work, after, words, now=now)

    def move(self, schedule: Schedule, *, limit: int | None, now: datetime) -> None:
        """Keep a schedule whose occurrences were settled; ``None``: its limit stays."""
        stored = self.stored(schedule.id)
        if stored is None:
            raise AssertionError(f"{schedule.id} is moved and not there")
        most = stored.limit if limit is None else limit
        after = replace(stored, schedule=schedule, limit=most)
        self._keep(after, before=stored.schedule)
        if schedule.cursor is None:
            events.of_schedule(self._work, schedule, ["finished"], now=now)

    def drop(self, schedule: Schedule, *, now: datetime) -> None:
        """Forget a schedule; what stays of it is its history."""
        stored = self.stored(schedule.id)
        if stored is None:
            raise AssertionError(f"{schedule.id} is dropped and not there")
        events.of_schedule(self._work, schedule, ["deleted"], now=now)
        self._keep(replace(stored, schedule=None), before=schedule)
        if self._work.get(kinds.PROGRESS, schedule.id) is not None:
            self._work.delete(kinds.PROGRESS, schedule.id)

    def bring(self, stored: Stored) -> None:
        """Keep a schedule that moves in, or what is left of a deleted one."""
        known = self.stored(stored.id)
        before = None if known is None else known.schedule
        self._keep(stored, before=before)

    def _keep(self, stored: Stored, *, before: Schedule | None) -> None:
        self._stored[stored.id] = stored
        self._touched.add(stored.id)
        tallies.of_schedule(self._work, before, stored.schedule)
        for schedule, holder in ((before, None), (stored.schedule, stored.id)):
            if schedule is not None and schedule.definition.name is not None:
                self._holders[schedule.definition.name] = holder
        document = schedule_documents.stored_out(stored)
        self._work.put(kinds.SCHEDULES, stored.id, document)

    def put_definition(
        self, schedule: str, revision: int, definition: Definition
    ) -> None:
        """Keep a new revision of a definition."""
        self._definitions[schedule, revision] = definition
        document: Document = {
            "schedule": schedule,
            "revision": revision,
            "definition": definition_out(definition),
        }
        self._work.insert(kinds.DEFINITIONS, f"{schedule}/{revision}", document)

    def put_version(self, version: Version, *, number: int) -> None:
        """Keep a version; ``number`` counts those of its schedule."""
        document = schedule_documents.version_out(version, number=number)
        self._work.insert(kinds.VERSIONS, f"{version.schedule}/{number}", document)

    def load_definitions(self, runs: Iterable[Run]) -> None:
        """Read the definitions that runs execute, all at once."""
        unread = {
            f"{run.schedule}/{run.revision}"
            for run in runs
            if (run.schedule, run.revision) not in self._definitions
        }
        for document in self._work.get_all(kinds.DEFINITIONS, unread).values():
            place = (
                cast("str", document["schedule"]),
                cast("int", document["revision"]),
            )
            self._definitions[place] = definition_in(
                cast("str", document["definition"])
            )

    def definition_of(self, run: Run) -> Definition:
        """Return the definition that a run executes."""
        stored = self._stored.get(run.schedule)
        schedule = None if stored is None else stored.schedule
        if schedule is not None and schedule.revision == run.revision:
            return schedule.definition
        if (run.schedule, run.revision) not in self._definitions:
            self.load_definitions([run])
        try:
            return self._definitions[run.schedule, run.revision]
        except KeyError as exc:
            named = f"{run.schedule}@{run.revision}"
            raise errors.NotFound("definition", named) from exc
