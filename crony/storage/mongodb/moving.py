"""Schedules and runs on their way from one store to another, in MongoDB."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import cast

from crony import errors
from crony.model.hook import FollowUp
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.schedule import Definition, Version
from crony.model.state import Origin, RunState
from crony.storage import rules
from crony.storage.codec import definition_in, kept
from crony.storage.contract import Moving, Page, Position
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import (
    admission,
    ending,
    faulting,
    kinds,
    lanes,
    outputs,
    pruning,
    records,
    references,
    tallies,
    telling,
)
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.records import Grant, Keeping, Record, Said
from crony.storage.mongodb.schedule_documents import Stored, stored_in, version_in
from crony.storage.mongodb.work import Work, id_of, key

#: So much output is moved at a time.
_SIZE = 1 << 22


class MongoMoving(Moving):
    """Everything of a schedule, and of a run, at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def schedules(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedSchedule]:
        def look(work: Work) -> Page[MovedSchedule]:
            found = _next(work, kinds.SCHEDULES, limit=limit, after=after)
            walked = [stored_in(document) for document in found[:limit]]
            dead = [each.id for each in walked if each.schedule is None]
            left = pruning.left_of(work, dead) if dead else set()
            there = [each for each in walked if each.schedule or each.id in left]
            end = walked[-1].id if len(found) > limit > 0 else None
            return Page(
                tuple(_moved_schedules(work, there)),
                None if end is None else (end, end),
            )

        return self._engine.read(tenant, look)

    def runs(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedRun]:
        work = self._engine.glance(tenant)
        found = _next(work, kinds.RUNS, limit=limit, after=after)
        items: list[MovedRun] = []
        size = 0
        for document in found[:limit]:
            items.append(self._run(work, document))
            output = items[-1].output.values()
            size += sum(len(chunk.data) for chunks in output for chunk in chunks)
            if size > _SIZE:
                break
        more = len(found) > len(items) > 0
        last = items[-1].run.id if more else ""
        return Page(tuple(items), (last, last) if more else None)

    def _run(self, work: Work, document: Document) -> MovedRun:
        record = records.record_in(document)
        run = outputs.full(work, record.run)
        owed = work.find(kinds.FOLLOW_UPS, {"run": run.id}, sort=[("at", 1)])
        output = outputs.whole(self._engine, work, run.id)
        return MovedRun(
            run=run,
            output={token: chunks for token, chunks in output.items() if chunks},
            says={said.token: said.text for said in record.keeping.says},
            follow_ups=tuple(document_in(FollowUp, each) for each in owed),
        )

    def put_schedules(self, items: Sequence[MovedSchedule]) -> Sequence[bool]:
        return tuple(
            self._engine.verb(item.tenant, lambda work, item=item: _put(work, item))  # type: ignore[misc]
            for item in items
        )

    def put_runs(self, items: Sequence[MovedRun]) -> Sequence[bool]:
        stored = []
        for item in items:
            counted, _ = admission.changing(
                self._engine,
                item.run.tenant,
                lambda book, item=item: _put_run(book, kept(item)),  # type: ignore[misc]
            )
            stored.append(counted)
        return tuple(stored)


def _next(
    work: Work, kind: str, *, limit: int, after: Position | None
) -> list[Document]:
    """Return the documents after an id, and one more to know if it goes on."""
    beyond = "" if after is None else after[1]
    # By what all are indexed by; what is deleted has no id of its own.
    where = {"_id": {"$gt": key(work.tenant, beyond), "$lt": f"{work.tenant}0"}}
    return work.find(
        kind, {"id": {"$gt": ""}, **where}, sort=[("_id", 1)], limit=limit + 1
    )


def _moved_schedules(work: Work, found: Sequence[Stored]) -> list[MovedSchedule]:
    """Return schedules with all that belongs to them."""
    ids = [each.id for each in found]
    among = {"schedule": {"$in": ids}}
    definitions: defaultdict[str, dict[int, Definition]] = defaultdict(dict)
    for document in work.find(kinds.DEFINITIONS, among):
        revision = cast("int", document["revision"])
        definition = definition_in(cast("str", document["definition"]))
        definitions[cast("str", document["schedule"])][revision] = definition
    versions: defaultdict[str, list[Version]] = defaultdict(list)
    for document in work.find(kinds.VERSIONS, among, sort=[("number", 1)]):
        version = version_in(document)
        versions[version.schedule].append(version)
    progress = telling.newest(work, ids, limit=rules.PROGRESS_KEPT)
    return [
        MovedSchedule(
            tenant=work.tenant,
            id=each.id,
            schedule=each.schedule,
            limit=each.limit,
            definitions=definitions[each.id],
            versions=tuple(versions[each.id]),
            pruned=pruning.pruned(work, each.id),
            progress=tuple(progress.get(each.id, ())),
        )
        for each in found
    ]


def _put(work: Work, moved: MovedSchedule) -> bool:
    """Keep a schedule as it was elsewhere, or what is left of it."""
    item = kept(moved)
    book = Book(work)
    if book.stored(item.id) is not None:
        return False
    if item.schedule is not None:
        _check_name(work, item.schedule.definition.name)
        references.check(work, item.schedule)
        current = item.schedule
        book.put_definition(item.id, current.revision, current.definition)
    for revision, definition in item.definitions.items():
        book.put_definition(item.id, revision, definition)
    for number, version in enumerate(item.versions, start=1):
        book.put_version(version, number=number)
    if item.pruned is not None:
        pruning.pruned(work, item.id)
        pruning.put_pruned(work, item.id, item.pruned)
    if item.progress:
        work.get(kinds.PROGRESS, item.id)
        telling.put(work, item.id, [document_out(entry) for entry in item.progress])
    book.bring(Stored(item.id, item.limit, len(item.versions), item.schedule))
    return True


def _check_name(work: Work, name: str | None) -> None:
    """Refuse a name that another schedule has."""
    if name is None:
        return
    holders = work.find(kinds.SCHEDULES, {"name": name}, limit=1, fields=["name"])
    if holders:
        raise errors.NameTaken("schedule", name, holder=id_of(holders[0]))


def _put_run(book: Book, item: MovedRun) -> bool:
    """Keep a run as it was elsewhere, with all that belongs to it."""
    run, work = item.run, book.work
    if book.record(run.id) is not None:
        return False
    if book.stored(run.schedule) is None:
        raise errors.NotFound("schedule", run.schedule)
    pending = run.state is RunState.PENDING
    keeping = Keeping(
        lane=lanes.lane_out(run, book.definition_of(run)),
        admitted=pending and run.origin is Origin.HOOK,
        # It is told to nobody, and waits to be promoted.
        waiting=pending,
        grants=tuple(
            Grant(worker=attempt.worker, first=attempt.token, last=attempt.token)
            for attempt in run.attempts
        ),
        says=tuple(Said(token=token, text=item.says[token]) for token in item.says),
    )
    book.keep(Record(run, keeping))
    book.touched.add(run.schedule)
    tallies.of_run(work, None, run)
    for attempt in run.attempts:
        faulting.note(work, run, attempt, says=item.says.get(attempt.token))
        chunks = item.output.get(attempt.token, ())
        if chunks or attempt.log_bytes:
            outputs.restore(
                work, run.id, attempt.token, chunks, written=attempt.log_bytes
            )
    for owed in item.follow_ups:
        work.get(kinds.FOLLOW_UPS, ending.name_of(owed))
        work.put(kinds.FOLLOW_UPS, ending.name_of(owed), document_out(owed))
    return True
