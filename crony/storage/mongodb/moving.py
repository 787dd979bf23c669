"""Schedules and runs on their way from one store to another, in MongoDB."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import cast

from crony.model.hook import FollowUp
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.schedule import Definition, Version
from crony.storage import rules
from crony.storage.codec import definition_in
from crony.storage.contract import Moving, Page, Position
from crony.storage.documents import Document, document_in
from crony.storage.mongodb import (
    arriving,
    kinds,
    outputs,
    pruning,
    records,
    telling,
)
from crony.storage.mongodb.admission import changing
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.schedule_documents import Stored, stored_in, version_in
from crony.storage.mongodb.work import Work, key

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
            more = len(found) > len(walked) > 0
            end = (walked[-1].id, walked[-1].id) if more else None
            return Page(tuple(_moved_schedules(work, walked)), end)

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
        end = (items[-1].run.id, items[-1].run.id) if more else None
        return Page(tuple(items), end)

    def _run(self, work: Work, document: Document) -> MovedRun:
        record = records.record_in(document)
        run = outputs.full(work, record.run)
        output = outputs.whole(self._engine, work, run.id)
        owed = work.find(
            kinds.FOLLOW_UPS,
            {"run": run.id},
            sort=[("attempt", 1), ("kind", 1), ("number", 1)],
        )
        return MovedRun(
            run=run,
            output={
                token: chunks
                for token, chunks in output.items()
                if chunks and token in run.tokens
            },
            says={said.token: said.text for said in record.keeping.says},
            follow_ups=tuple(document_in(FollowUp, each) for each in owed),
        )

    def put_schedules(self, items: Sequence[MovedSchedule]) -> Sequence[bool]:
        stored = []
        for item in items:
            put = partial(arriving.put_schedule, item=item)
            new = not arriving.is_elsewhere(self._engine, item)
            stored.append(new and changing(self._engine, item.tenant, put)[0])
        return tuple(stored)

    def put_runs(self, items: Sequence[MovedRun]) -> Sequence[bool]:
        stored = []
        for item in items:
            put = partial(arriving.put_run, engine=self._engine, item=item)
            stored.append(changing(self._engine, item.run.tenant, put)[0])
        return tuple(stored)

    def remove_runs(self, tenant: str, runs: Sequence[str]) -> int:
        remove = partial(arriving.remove_runs, runs=tuple(dict.fromkeys(runs)))
        return changing(self._engine, tenant, remove)[0]


def _next(
    work: Work, kind: str, *, limit: int, after: Position | None
) -> list[Document]:
    """Return the documents after an id, and one more to know if it goes on."""
    beyond = "" if after is None else after[1]
    # By what all are indexed by; what is deleted has no id of its own.
    where = {"_id": {"$gt": key(work.tenant, str(beyond)), "$lt": f"{work.tenant}0"}}
    return work.find(
        kind, {"id": {"$gt": ""}, **where}, sort=[("_id", 1)], limit=limit + 1
    )


def _moved_schedules(work: Work, found: Sequence[Stored]) -> list[MovedSchedule]:
    """Return schedules with all that belongs to them."""
    ids = [each.id for each in found]
    among = {"schedule": {"$in": ids}}
    definitions: defaultdict[str, dict[int, Definition]] = defaultdict(dict)
    for document in work.find(kinds.DEFINITIONS, among, sort=[("revision", 1)]):
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
