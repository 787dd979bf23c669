"""What moves in comes into its place, as it was elsewhere.

No event tells of it. What it takes the place of goes document by document, for its
own may have the same ids.
"""

from __future__ import annotations

from collections.abc import Sequence

from crony import errors
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.schedule import Schedule
from crony.model.state import HELD, Origin, RunState
from crony.storage.codec import definition_out, kept
from crony.storage.documents import document_out
from crony.storage.mongodb import (
    ending,
    faulting,
    kinds,
    lanes,
    outputs,
    places,
    pruning,
    references,
    schedule_documents,
    tallies,
    telling,
)
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.records import Grant, Keeping, Record, Said
from crony.storage.mongodb.schedule_documents import Stored
from crony.storage.mongodb.work import Work, id_of, key


def is_elsewhere(engine: Engine, item: MovedSchedule) -> bool:
    """Return whether another tenant has used the id of a schedule."""
    others = engine.database.find(
        kinds.SCHEDULES,
        {"id": item.id, "tenant": {"$ne": item.tenant}},
        limit=1,
        fields=["tenant"],
    )
    return bool(others)


def put_schedule(book: Book, *, item: MovedSchedule) -> bool:
    """Keep a schedule, or what is left of it; return whether it was stored."""
    item = kept(item)
    work = book.work
    if book.schedules.stored(item.id) is not None and not places.stands_still(work):
        return False
    if item.schedule is not None:
        _check(book, item.schedule)
    _put_definitions(work, item)
    _put_versions(work, item)
    pruning.put_pruned(work, item.id, item.pruned)
    telling.restore(work, item.id, [document_out(entry) for entry in item.progress])
    book.schedules.bring(Stored(item.id, item.limit, len(item.versions), item.schedule))
    return True


def _check(book: Book, schedule: Schedule) -> None:
    """Refuse a schedule whose name is taken, or whose group is not there.

    A group that it lags behind is not carried over, from now on.
    """
    references.check_name(book, schedule)
    group = references.check_group(book.work, schedule)
    if schedule.held != group["paused"]:
        lagging = {**group, "carried": False}
        book.work.put(kinds.GROUPS, schedule.definition.group, lagging)


def _put_definitions(work: Work, item: MovedSchedule) -> None:
    documents = {
        f"{item.id}/{revision}": {
            "schedule": item.id,
            "revision": revision,
            "definition": definition_out(definition),
        }
        for revision, definition in item.definitions.items()
    }
    work.get_all(kinds.DEFINITIONS, documents)
    for name, document in documents.items():
        work.put(kinds.DEFINITIONS, name, document)


def _put_versions(work: Work, item: MovedSchedule) -> None:
    for found in work.find(kinds.VERSIONS, {"schedule": item.id}):
        work.delete(kinds.VERSIONS, id_of(found))
    documents = {
        f"{item.id}/{number}": schedule_documents.version_out(version, number=number)
        for number, version in enumerate(item.versions, start=1)
    }
    work.get_all(kinds.VERSIONS, documents)
    for name, document in documents.items():
        work.put(kinds.VERSIONS, name, document)


def put_run(book: Book, *, engine: Engine, item: MovedRun) -> bool:
    """Keep a run with all that belongs to it; return whether it was stored."""
    item = kept(item)
    run, work = item.run, book.work
    before = book.record(run.id)
    if before is not None and not _may_go(work, before):
        return False
    if book.schedules.stored(run.schedule) is None:
        if _is_of_another(engine, item):
            return False
        raise errors.NotFound("schedule", run.schedule)
    keeping = _keeping(book, item)
    book.keep(Record(run, keeping))
    book.touched |= {run.schedule, *([before.run.schedule] if before else ())}
    tallies.of_run(work, None if before is None else before.run, run)
    faulting.restore(work, run, item.says)
    _put_output(work, item)
    _put_follow_ups(work, item)
    return True


def _is_of_another(engine: Engine, item: MovedRun) -> bool:
    """Return whether another tenant has the run, with its schedule."""
    owners = engine.database.find(
        kinds.SCHEDULES, {"id": item.run.schedule}, fields=["tenant"]
    )
    ids = [key(str(owner["tenant"]), item.run.id) for owner in owners]
    there = {"_id": {"$in": ids}, "id": item.run.id}
    return bool(engine.database.find(kinds.RUNS, there, limit=1, fields=["_id"]))


def _may_go(work: Work, record: Record) -> bool:
    return places.stands_still(work) and record.run.state not in HELD


def _keeping(book: Book, item: MovedRun) -> Keeping:
    run = item.run
    pending = run.state is RunState.PENDING
    return Keeping(
        lane=lanes.lane_out(run, book.schedules.definition_of(run)),
        admitted=pending and run.origin is Origin.HOOK,
        waiting=pending and run.available_at > run.created_at,
        grants=tuple(
            Grant(worker=attempt.worker, first=attempt.token, last=attempt.token)
            for attempt in run.attempts
        ),
        says=tuple(Said(token=token, text=item.says[token]) for token in item.says),
    )


def _put_output(work: Work, item: MovedRun) -> None:
    outputs.clear(work, item.run.id)
    for attempt in item.run.attempts:
        chunks = item.output.get(attempt.token, ())
        if chunks or attempt.log_bytes:
            written = attempt.log_bytes
            outputs.restore(work, item.run.id, attempt.token, chunks, written=written)


def _put_follow_ups(work: Work, item: MovedRun) -> None:
    _forget_follow_ups(work, item.run.id)
    names = {ending.name_of(owed): owed for owed in item.follow_ups}
    work.get_all(kinds.FOLLOW_UPS, names)
    for name, owed in names.items():
        work.put(kinds.FOLLOW_UPS, name, document_out(owed))


def _forget_follow_ups(work: Work, run: str) -> None:
    for found in work.find(kinds.FOLLOW_UPS, {"run": run}):
        work.delete(kinds.FOLLOW_UPS, id_of(found))


def remove_runs(book: Book, *, runs: Sequence[str]) -> int:
    """Forget runs, as if they had never been here; return how many."""
    book.load(runs)
    found = [record for name in runs if (record := book.record(name)) is not None]
    gone = [record.run for record in found if _may_go(book.work, record)]
    for run in gone:
        tallies.of_run(book.work, run, None)
        book.touched.add(run.schedule)
        _forget_follow_ups(book.work, run.id)
    pruning.remove(book, gone)
    return len(gone)
