"""Schedules and runs on their way from one store to another, in Redis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crony.model.moving import MovedRun, MovedSchedule, Pruned
from crony.model.run import LogChunk, Run
from crony.model.schedule import Definition, Version
from crony.storage.codec import definition_in, dumps, instant_in, instant_out
from crony.storage.contract import Moving, Page, Position
from crony.storage.documents import Document, document_out
from crony.storage.redis.engine import Engine
from crony.storage.redis.following import follow_up_in, text_of
from crony.storage.redis.logs import chunk
from crony.storage.redis.paging import page_of
from crony.storage.redis.records import (
    Reader,
    Record,
    policies_out,
    progress_in,
    run_out,
    schedule_in,
    schedule_out,
    written_out,
)
from crony.storage.redis.refusals import check
from crony.storage.redis.runs import pruned_in

#: So much output, and so many things, are moved at a time.
_SIZE = 1 << 22
_AT_A_TIME = 100


class RedisMoving(Moving):
    """Everything of a schedule, and of a run, at once."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader

    def schedules(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedSchedule]:
        found = self._engine.call(
            "moving_schedules",
            tenant,
            limit=limit,
            after=None if after is None else after[1],
        )
        return page_of(
            found,
            limit=limit,
            read=lambda record: _schedule(tenant, record),
            place=lambda schedule: (schedule.id, schedule.id),
        )

    def runs(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedRun]:
        found, more = self._engine.call(
            "moving_runs",
            tenant,
            limit=limit,
            after=None if after is None else after[1],
            size=_SIZE,
        )
        items = tuple(self._run(tenant, record) for record in found)
        last = items[-1].run.id if items else ""
        return Page(items, (last, last) if more else None)

    def _run(self, tenant: str, found: Record) -> MovedRun:
        return MovedRun(
            run=self._reader.whole(tenant, found),
            output={
                token: tuple(chunk(piece) for piece in pieces)
                for token, pieces in found["pieces"]
                if pieces
            },
            says={
                attempt["token"]: attempt["says"]
                for attempt in found["attempts"]
                if attempt.get("says") is not None
            },
            follow_ups=tuple(
                sorted(
                    (follow_up_in(tenant, text, at) for text, at in found["owed"]),
                    key=lambda owed: (owed.attempt, owed.kind, owed.number),
                )
            ),
        )

    def put_schedules(self, items: Sequence[MovedSchedule]) -> Sequence[bool]:
        elsewhere = self._taken("schedules", [(item.tenant, item.id) for item in items])
        kept = [False] * len(items)
        for tenant, numbers in _pieces([(item.tenant, 0) for item in items], elsewhere):
            self._put(
                "moving_put_schedule",
                tenant,
                numbers,
                kept,
                items=[_schedule_out(items[n]) for n in numbers],
            )
        return tuple(kept)

    def put_runs(self, items: Sequence[MovedRun]) -> Sequence[bool]:
        elsewhere = self._taken("runs", [(i.run.tenant, i.run.id) for i in items])
        sizes = [(item.run.tenant, _size(item)) for item in items]
        kept = [False] * len(items)
        for tenant, numbers in _pieces(sizes, elsewhere):
            some = [items[n] for n in numbers]
            self._put(
                "moving_put_run",
                tenant,
                numbers,
                kept,
                items=[_run_out(item) for item in some],
                policies=policies_out(item.run for item in some),
            )
        return tuple(kept)

    def _put(
        self,
        script: str,
        tenant: str,
        numbers: Sequence[int],
        kept: list[bool],
        **arguments: object,
    ) -> None:
        """Let a script keep some, and note which it kept, up to one that it refuses."""
        counted, refused = self._engine.call(script, tenant, **arguments)
        for n, each in zip(numbers, counted, strict=False):
            kept[n] = bool(each)
        check(refused)

    def remove_runs(self, tenant: str, runs: Sequence[str]) -> int:
        gone = self._engine.call("moving_remove", tenant, runs=list(runs))
        return int(gone)

    def _taken(self, kind: str, items: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Return of each (tenant, id) whether another tenant has the id.

        It is no part of the step that stores it: each tenant's keys are apart, and
        nothing breaks where two have the same id.
        """
        asked = {"schedules": [], "runs": [], kind: [id for _, id in items]}
        names = self._engine.tenants() if items else []
        taken: defaultdict[str, set[str]] = defaultdict(set)
        answers = self._engine.each("moving_taken", [(name, asked) for name in names])
        for name, answer in zip(names, answers, strict=True):
            for (_, id), used in zip(items, answer[kind], strict=True):
                if used:
                    taken[id].add(name)
        return [bool(taken[id] - {tenant}) for tenant, id in items]


def _pieces(
    items: Sequence[tuple[str, int]], left_out: Sequence[bool]
) -> Iterator[tuple[str, list[int]]]:
    """Meet the numbers of items of one tenant, in order, as many as go at a time."""
    tenant, numbers, size = "", list[int](), 0
    for n, (owner, bytes_) in enumerate(items):
        if left_out[n]:
            continue
        full = len(numbers) >= _AT_A_TIME or size + bytes_ > _SIZE
        if numbers and (full or owner != tenant):
            yield tenant, numbers
            numbers, size = [], 0
        tenant = owner
        numbers.append(n)
        size += bytes_
    if numbers:
        yield tenant, numbers


def _size(item: MovedRun) -> int:
    return sum(len(each.data) for chunks in item.output.values() for each in chunks)


def _schedule(tenant: str, found: Record) -> MovedSchedule:
    texts = dict(found["definitions"])
    definitions = {revision: definition_in(texts[revision]) for revision in texts}
    record, pruned = found.get("record"), found.get("pruned")
    return MovedSchedule(
        tenant=tenant,
        id=found["id"],
        schedule=None
        if record is None
        else schedule_in(
            tenant, {"record": record, "definition": texts[record["revision"]]}
        ),
        limit=found["limit"],
        definitions=definitions,
        versions=tuple(
            _version(found["id"], version, definitions) for version in found["versions"]
        ),
        pruned=None if pruned is None else pruned_in(pruned),
        progress=tuple(progress_in(entry) for entry in found["progress"]),
    )


def _version(
    schedule: str, found: Record, definitions: Mapping[int, Definition]
) -> Version:
    return Version(
        schedule=schedule,
        revision=found["revision"],
        since=instant_in(found["since"]),
        definition=definitions[found["revision"]],
        held=found["held"],
        rules=found["rules"],
    )


def _schedule_out(item: MovedSchedule) -> Document:
    written = dict(item.definitions)
    if item.schedule is not None:
        written[item.schedule.revision] = item.schedule.definition
    return {
        "id": item.id,
        "record": None if item.schedule is None else schedule_out(item.schedule),
        "limit": item.limit,
        "definitions": [
            {"revision": revision, **written_out(definition)}
            for revision, definition in written.items()
        ],
        "versions": [
            {
                "revision": version.revision,
                "since": instant_out(version.since),
                "held": version.held,
                "rules": version.rules,
            }
            for version in item.versions
        ],
        "pruned": None if item.pruned is None else _pruned_out(item.pruned),
        "progress": [document_out(entry) for entry in item.progress],
    }


def _pruned_out(pruned: Pruned) -> Document:
    return {
        "until_": instant_out(pruned.until),
        "occurrences": {s.value: count for s, count in pruned.occurrences.items()},
        "others": {s.value: count for s, count in pruned.others.items()},
    }


def _run_out(item: MovedRun) -> Document:
    run = item.run
    return {
        "run": run_out(run),
        "result": None if run.result is None else dumps(run.result),
        "attempts": _attempts_out(run, item.says),
        "output": [
            {
                "token": attempt.token,
                "written": attempt.log_bytes,
                "pieces": [
                    _piece_out(each) for each in item.output.get(attempt.token, ())
                ],
            }
            for attempt in run.attempts
            if attempt.log_bytes or attempt.token in item.output
        ],
        "follow_ups": [
            {"text": text_of(each), "at": instant_out(each.at)}
            for each in item.follow_ups
        ],
    }


def _attempts_out(run: Run, says: Mapping[int, str]) -> list[Any]:
    """Return the attempts of a run that has ended all of them, oldest first."""
    ended_at = run.finished_at or run.created_at
    return [
        {
            **document_out(replace(each, finished_at=each.finished_at or ended_at)),
            "says": says.get(each.token),
        }
        for each in sorted(run.attempts, key=lambda each: each.token)
    ]


def _piece_out(piece: LogChunk) -> Document:
    return {
        "sequence": piece.sequence,
        "stream": piece.stream,
        "offset": piece.offset,
        "data": piece.data,
    }
