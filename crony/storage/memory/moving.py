"""Schedules and runs that move from one store to another, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crony import errors
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.run import Attempt, LogChunk, Run
from crony.model.schedule import Schedule
from crony.model.state import HELD, RunState
from crony.storage import rules
from crony.storage.codec import kept
from crony.storage.contract import Moving, Page, Position
from crony.storage.memory.admission import change
from crony.storage.memory.logs import chunks_of
from crony.storage.memory.paging import as_it_is, paged
from crony.storage.memory.pruning import remove
from crony.storage.memory.records import Output
from crony.storage.memory.references import check_group
from crony.storage.memory.state import Memory


class MemoryMoving(Moving):
    """What moves, out of all dicts and into them."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def schedules(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedSchedule]:
        memory = self._memory
        with memory.verb():
            mine = [name for name, owner in memory.used.items() if owner == tenant]
            return paged(
                [self._schedule(tenant, name) for name in mine],
                lambda item: (item.id, item.id),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def _schedule(self, tenant: str, name: str) -> MovedSchedule:
        memory = self._memory
        return MovedSchedule(
            tenant=tenant,
            id=name,
            schedule=memory.schedules.get(name),
            limit=memory.limits[name],
            definitions={
                revision: definition
                for (of, revision), definition in memory.definitions.items()
                if of == name
            },
            versions=tuple(memory.versions.get(name, ())),
            pruned=memory.pruned.get(name),
            progress=tuple(reversed(memory.progress.get(name, ()))),
        )

    def runs(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedRun]:
        memory = self._memory
        with memory.verb():
            return paged(
                [
                    self._run(run)
                    for run in memory.runs.values()
                    if run.tenant == tenant
                ],
                lambda item: (item.run.id, item.run.id),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def _run(self, run: Run) -> MovedRun:
        memory = self._memory
        whole = memory.full(run)
        output = {
            token: tuple(chunks_of(found))
            for (name, token), found in sorted(memory.outputs.items())
            if name == run.id and token in whole.tokens and found.pieces
        }
        says = {
            token: said
            for (name, token), said in sorted(memory.says.items())
            if name == run.id
        }
        owed = [memory.follow_ups[key] for key in sorted(memory.follow_ups)]
        return MovedRun(
            run=whole,
            output=output,
            says=says,
            follow_ups=tuple(each for each in owed if each.run == run.id),
        )

    def put_schedules(self, items: Sequence[MovedSchedule]) -> Sequence[bool]:
        with self._memory.verb():
            return [self._put_schedule(kept(item)) for item in items]

    def _put_schedule(self, item: MovedSchedule) -> bool:
        memory = self._memory
        owner = memory.used.get(item.id)
        if owner is not None and not (
            owner == item.tenant and memory.is_held(item.tenant)
        ):
            return False
        if item.schedule is not None:
            self._check(item.schedule)
        with change(memory, item.id):
            memory.used[item.id] = item.tenant
            memory.limits[item.id] = item.limit
            for revision, definition in item.definitions.items():
                memory.definitions[item.id, revision] = definition
            memory.versions[item.id] = list(item.versions)
            memory.progress[item.id] = list(reversed(item.progress))
            memory.pruned.pop(item.id, None)
            if item.pruned is not None:
                memory.pruned[item.id] = item.pruned
            memory.schedules.pop(item.id, None)
            if item.schedule is not None:
                memory.schedules[item.id] = item.schedule
        return True

    def _check(self, schedule: Schedule) -> None:
        """Refuse a schedule whose name is taken, or whose group is not there.

        A group that it lags behind is not carried over, from now on.
        """
        memory = self._memory
        memory.check_name(schedule)
        group = check_group(memory, schedule)
        if schedule.held != group.paused:
            memory.groups[group.tenant, group.name] = replace(group, carried=False)

    def put_runs(self, items: Sequence[MovedRun]) -> Sequence[bool]:
        with self._memory.verb():
            return [self._put_run(kept(item)) for item in items]

    def _put_run(self, item: MovedRun) -> bool:
        memory, run = self._memory, item.run
        before = memory.runs.get(run.id)
        if before is not None and not self._may_go(run.tenant, before):
            return False
        if memory.used.get(run.schedule) != run.tenant:
            raise errors.NotFound("schedule", run.schedule)
        if (run.schedule, run.revision) not in memory.definitions:
            name = f"{run.schedule}@{run.revision}"
            raise errors.NotFound("definition", name)
        with change(memory, run.schedule, *([before.schedule] if before else ())):
            if before is not None:
                remove(memory, before)
            memory.runs[run.id] = run
            if run.state is RunState.PENDING and run.available_at > run.created_at:
                memory.waiting.add(run.id)
            for attempt in run.attempts:
                memory.grants[run.id, attempt.token] = attempt.worker
                if attempt.log_bytes or attempt.token in item.output:
                    output = _output(attempt, item.output.get(attempt.token, ()))
                    memory.outputs[run.id, attempt.token] = output
            for token, said in item.says.items():
                memory.says[run.id, token] = said
            for owed in item.follow_ups:
                key = (owed.run, owed.attempt, owed.kind, owed.number)
                memory.follow_ups[key] = owed
        return True

    def _may_go(self, tenant: str, run: Run) -> bool:
        held = self._memory.is_held(tenant)
        return held and run.tenant == tenant and run.state not in HELD

    def remove_runs(self, tenant: str, runs: Sequence[str]) -> int:
        memory = self._memory
        with memory.verb():
            gone = [
                run
                for name in dict.fromkeys(runs)
                if (run := memory.runs.get(name)) is not None
                and self._may_go(tenant, run)
            ]
            with change(memory, *(run.schedule for run in gone)):
                for run in gone:
                    remove(memory, run)
            return len(gone)


def _output(attempt: Attempt, chunks: Sequence[LogChunk]) -> Output:
    """Return what is known of an ended attempt's output: no more of it comes."""
    output = Output()
    for chunk in chunks:
        piece = rules.Kept(chunk.stream, chunk.offset, chunk.data, head=False)
        output.pieces.append((chunk.sequence, piece))
        output.positions[chunk.stream] = chunk.offset + len(chunk.data)
        output.sequence = chunk.sequence
    # Of a stream of which nothing is kept, only that much is known.
    rest = attempt.log_bytes - sum(output.positions.values())
    if rest > 0:
        output.positions[""] = rest
    return output
