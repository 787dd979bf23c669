"""Schedules, in MongoDB."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar, cast

from crony import errors
from crony.model.lease import Ready
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule, Version
from crony.model.state import Origin
from crony.storage import rules
from crony.storage.codec import definition_in, instant_in, instant_out, kept
from crony.storage.contract import (
    Creation,
    Materialisation,
    Page,
    Position,
    ScheduleQuery,
    Schedules,
)
from crony.storage.documents import Document
from crony.storage.mongodb import (
    kinds,
    listing,
    outputs,
    references,
    schedule_documents,
    tallies,
    walking,
)
from crony.storage.mongodb.admission import changing
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.settling import (
    held,
    materialise,
    settle,
    strike,
    unconfirmed,
    withdraw,
)
from crony.storage.mongodb.work import Work

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class MongoSchedules(Schedules):
    """Schedules as documents, with their definitions and versions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, schedule: Schedule, *, limit: int, quota: int | None) -> bool:
        def create(work: Work) -> bool:
            return _create(Book(work), Creation(schedule, limit), quota)

        return self._engine.verb(schedule.tenant, create)

    def create_all(
        self, batch: Sequence[Creation], *, quota: int | None
    ) -> Sequence[bool | errors.CronyError]:
        def create_all(
            work: Work, items: Sequence[Creation]
        ) -> list[bool | errors.CronyError]:
            book = Book(work)
            book.schedules.load(item.schedule.id for item in items)
            names = (item.schedule.definition.name for item in items)
            book.schedules.load_names(name for name in names if name is not None)
            return [_tried(book, item, quota) for item in items]

        return by_tenant(
            batch,
            lambda item: item.schedule.tenant,
            lambda tenant, items: self._engine.verb(
                tenant, lambda work: create_all(work, items)
            ),
        )

    def find(self, tenant: str, reference: str) -> Schedule | None:
        return _find(self._engine.glance(tenant), reference)

    def named(self, tenant: str, names: Collection[str]) -> Mapping[str, Schedule]:
        found = self._engine.glance(tenant).find(
            kinds.SCHEDULES, {"name": {"$in": list(names)}, "there": True}
        )
        schedules = (schedule_documents.schedule_in(document) for document in found)
        return {str(each.definition.name): each for each in schedules}

    def page(
        self, tenant: str, query: ScheduleQuery, *, limit: int, after: Position | None
    ) -> Page[Schedule]:
        return self._engine.read(
            tenant,
            lambda work: listing.schedules(work, query, limit=limit, after=after),
        )

    def definition(
        self, tenant: str, schedule: str, revision: int
    ) -> Definition | None:
        work = self._engine.glance(tenant)
        found = work.get(kinds.DEFINITIONS, f"{schedule}/{revision}")
        return (
            None if found is None else definition_in(cast("str", found["definition"]))
        )

    def update(
        self,
        schedule: Schedule,
        *,
        limit: int,
        expected: Schedule,
        settled: Sequence[Run],
        now: datetime,
    ) -> tuple[bool, Ready]:
        def update(book: Book) -> bool:
            stored = _current(book, expected)
            if stored is None:
                return False
            references.check_name(book, schedule)
            references.check(book.work, schedule)
            book.load(run.id for run in settled)
            count = stored.occurrences + sum(
                settle(book, run, now=now) for run in settled
            )
            count -= withdraw(book, schedule.id, now=now)
            changed = replace(
                schedule,
                tenant=stored.tenant,
                created_at=stored.created_at,
                occurrences=count,
            )
            book.schedules.put(changed, limit=limit, now=now)
            return True

        return changing(self._engine, expected.tenant, update)

    def versions(
        self, tenant: str, schedule: str, *, until: datetime | None, limit: int
    ) -> Sequence[Version]:
        before = {} if until is None else {"since": {"$lt": instant_out(until)}}
        found = self._engine.glance(tenant).find(
            kinds.VERSIONS,
            {"schedule": schedule, **before},
            sort=[("number", -1)],
            limit=limit,
        )
        return tuple(schedule_documents.version_in(document) for document in found)

    def in_group(
        self, tenant: str, group: str, *, held: bool, limit: int
    ) -> Sequence[Schedule]:
        found = self._engine.glance(tenant).find(
            kinds.SCHEDULES,
            {"group": group, "held": held},
            sort=[("id", 1)],
            limit=limit,
        )
        return tuple(schedule_documents.schedule_in(document) for document in found)

    def ahead(
        self, tenant: str, *, now: datetime, limit: int, after: str | None
    ) -> Sequence[str]:
        ahead = {
            "scheduled_for": {"$gt": instant_out(now)},
            "origin": Origin.SCHEDULE.value,
        }
        return self._engine.read(
            tenant,
            lambda work: listing.with_unconfirmed(
                work, ahead, limit=limit, after=after
            ),
        )

    def unfinished(
        self, tenant: str, *, limit: int, after: str | None
    ) -> Sequence[Schedule]:
        return self._engine.read(
            tenant, lambda work: listing.unfinished(work, limit=limit, after=after)
        )

    def limit(self, batch: Sequence[Creation]) -> Ready:
        ready: set[tuple[str, str]] = set()

        def limit(book: Book, items: Sequence[Creation]) -> None:
            book.schedules.load(item.schedule.id for item in items)
            for item in items:
                book.schedules.limit(item.schedule, item.limit)

        def of_tenant(tenant: str, items: Sequence[Creation]) -> Sequence[None]:
            _, lines = changing(self._engine, tenant, lambda book: limit(book, items))
            ready.update(lines)
            return [None] * len(items)

        by_tenant(batch, lambda item: item.schedule.tenant, of_tenant)
        return frozenset(ready)

    def delete(
        self,
        expected: Schedule,
        *,
        settled: Sequence[Run],
        cancel_running: bool,
        now: datetime,
    ) -> tuple[bool, Sequence[Run], Ready]:
        def delete(book: Book) -> tuple[bool, Sequence[Run]]:
            stored = _current(book, expected)
            if stored is None:
                return False, ()
            for run in settled:
                settle(book, run, now=now)
            in_hands = held(book, {"schedule": expected.id})
            before = [outputs.full(book.work, record.run) for record in in_hands]
            runs = {
                record.run.id: record.run
                for record in (*in_hands, *unconfirmed(book, expected.id))
            }
            for run in runs.values():
                strike(book, run, cancel_running=cancel_running, now=now)
            book.schedules.drop(stored, now=now)
            return True, tuple(sorted(before, key=lambda run: run.id))

        (counted, had), ready = changing(self._engine, expected.tenant, delete)
        return counted, had, ready

    def due(self, horizon: datetime, *, limit: int) -> Sequence[Schedule]:
        found = self._engine.everywhere(
            kinds.SCHEDULES,
            {"due_at": {"$lte": instant_out(horizon)}, **_of_others(self._engine)},
            sort=[("due_at", 1), ("id", 1)],
            limit=limit,
            index="due",
        )
        return tuple(schedule_documents.readable(found))

    def earliest(self) -> datetime | None:
        found = self._engine.everywhere(
            kinds.SCHEDULES,
            {"due_at": {"$exists": True}, **_of_others(self._engine)},
            sort=[("due_at", 1), ("id", 1)],
            limit=1,
            fields=["due_at"],
            index="due",
        )
        return instant_in(cast("int", found[0]["due_at"])) if found else None

    def walk(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[Schedule], Position | None]:
        walked, end = walking.walk(self._engine, limit=limit, after=after)
        found = (d for d in walked if d["there"] and d["cursor"] is not None)
        return tuple(schedule_documents.readable(found)), end

    def materialise(
        self, batch: Sequence[Materialisation], *, now: datetime
    ) -> tuple[Sequence[bool], Ready]:
        ready: set[tuple[str, str]] = set()

        def verb(book: Book, items: Sequence[Materialisation]) -> list[bool]:
            book.schedules.load(item.schedule for item in items)
            book.load(run.id for item in items for run in item.runs)
            return [materialise(book, item, now=now) for item in items]

        def of_tenant(tenant: str, items: Sequence[Materialisation]) -> list[bool]:
            counted, lines = changing(
                self._engine, tenant, lambda book: verb(book, items)
            )
            ready.update(lines)
            return counted

        counted = by_tenant(batch, lambda item: item.tenant, of_tenant)
        return tuple(counted), frozenset(ready)


def _of_others(engine: Engine) -> Document:
    """Match what is not of tenants in which nothing comes due."""
    still = engine.database.find(kinds.TENANTS, {"held": True}, fields=["name"])
    return {"tenant": {"$nin": [tenant["name"] for tenant in still]}} if still else {}


def by_tenant(
    items: Sequence[_Item],
    tenant_of: Callable[[_Item], str],
    do: Callable[[str, Sequence[_Item]], Sequence[_Answer]],
) -> list[_Answer]:
    """Do something with the items of each tenant; return the answers in order."""
    numbers: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        numbers.setdefault(tenant_of(item), []).append(number)
    answers: dict[int, _Answer] = {}
    for tenant, of in numbers.items():
        done = do(tenant, [items[number] for number in of])
        answers |= dict(zip(of, done, strict=True))
    return [answers[number] for number in range(len(items))]


def _create(book: Book, item: Creation, quota: int | None) -> bool:
    """Store a new schedule; return whether it was."""
    schedule = item.schedule
    if book.schedules.stored(schedule.id) is not None:
        return False
    references.check_name(book, schedule)
    if quota is not None and tallies.schedules(book.work) >= quota:
        raise errors.QuotaExceeded(
            f"the tenant has {quota} schedules, which is all it may have",
            retry_after=rules.QUOTA_PAUSE,
        )
    references.check(book.work, schedule)
    book.schedules.put(schedule, limit=item.limit, now=schedule.created_at)
    return True


def _tried(book: Book, item: Creation, quota: int | None) -> bool | errors.CronyError:
    try:
        return _create(book, item, quota)
    except (errors.Conflict, errors.QuotaExceeded, errors.NotFound) as exc:
        return exc


def _current(book: Book, expected: Schedule) -> Schedule | None:
    """Return the stored schedule while it is as expected."""
    stored = book.schedules.get(expected.id)
    if stored is None:
        return None
    same = (stored.revision, stored.cursor) == (
        expected.revision,
        kept(expected.cursor),
    )
    return stored if same else None


def _find(work: Work, reference: str) -> Schedule | None:
    """Return the schedule of that id or name."""
    found = work.get(kinds.SCHEDULES, reference)
    if found is None or not found["there"]:
        named = work.find(kinds.SCHEDULES, {"name": reference, "there": True}, limit=1)
        found = named[0] if named else None
    return None if found is None else schedule_documents.schedule_in(found)
