"""One piece on its way into a store: its lines are read, compared and put."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

from crony import errors
from crony.clock import Clock
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.state import HELD
from crony.scheduler.moving.arrival import arrived
from crony.scheduler.moving.comparing import remove_between, there
from crony.scheduler.moving.lines import Header, Kind, read
from crony.scheduler.moving.outcome import Line, Outcome, put_outcome, refused, said
from crony.scheduler.moving.single import Single
from crony.storage.contract import Store


class Piece:
    """One piece on its way in."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        header: Header,
        tenant: str | None,
        admin: bool,
    ) -> None:
        self._store = store
        self._single = Single(store, clock, entropy, admin=admin)
        self._header = header
        self._tenant = tenant
        #: Schedules whose names were taken: who has one may lose it further on.
        self._named: list[Line] = []

    def read(self, number: int, line: bytes) -> Line | Outcome:
        """Return what a line says, or why it is refused."""
        try:
            record = read(line)
        except (errors.MalformedBody, errors.InvalidBody) as exc:
            return Outcome(line=number, word="refused", error=exc)
        if record.kind in (Kind.HEADER, Kind.COMPLETE):
            return Outcome(line=number, word="read", kind=record.kind)
        found = Line(number, record)
        if self._tenant not in (None, record.tenant):
            return refused(
                found,
                errors.Forbidden(
                    f"it is of the tenant {record.tenant}, and this import is into "
                    f"{self._tenant}"
                ),
            )
        return found

    def store(self, lines: Sequence[Line]) -> Iterator[Outcome]:
        """Store lines of one kind and tenant."""
        kind, tenant = lines[0].record.kind, lines[0].record.tenant
        try:
            if kind not in (Kind.TENANT, Kind.END):
                self._require_held(tenant)
            if kind is Kind.SCHEDULE:
                yield from self._schedules(lines)
            elif kind is Kind.RUN:
                yield from self._runs(lines)
            else:
                (line,) = lines
                stored = self._single.put(line.record)
                yield said(line, "stored" if stored else "unchanged")
        except errors.Unavailable:
            raise
        except errors.CronyError as exc:
            yield from (refused(line, exc) for line in lines)

    def _require_held(self, tenant: str) -> None:
        found = self._store.tenants.find(tenant)
        if found is None:
            raise errors.NotFound("tenant", tenant)
        if not found.held:
            raise errors.Conflict(
                f"the tenant {tenant} is not held; an import begins with the line of "
                "its tenant, and ends with its activation"
            )

    # Schedules.

    def _schedules(self, lines: Sequence[Line]) -> Iterator[Outcome]:
        found = there(lines, self._store.moving.schedules, lambda item: item.id)
        changed = []
        for line in lines:
            if found.get(line.record.id) == line.record.value:
                yield said(line, "unchanged")
            else:
                changed.append(line)
        yield from self._put(changed, self._store.moving.put_schedules)

    def tried_again(self) -> Iterator[Outcome]:
        """Store those whose names were taken then, and may be free now."""
        waiting, self._named = self._named, []
        for line in waiting:
            yield from self._each([line], self._store.moving.put_schedules)
        yield from (
            refused(line, errors.NameTaken("schedule", _name(line), holder=""))
            for line in self._named
        )

    # Runs.

    def _runs(self, lines: Sequence[Line]) -> Iterator[Outcome]:
        found = there(lines, self._store.moving.runs, lambda item: item.run.id)
        remove_between(self._store, lines, found)
        deleted = self._deleted(lines)
        changed = []
        for line in lines:
            moved = cast("MovedRun", line.record.value)
            gone = moved.run.schedule in deleted
            moved = arrived(moved, deleted=gone, at=self._header.at)
            if found.get(moved.run.id) == moved:
                yield said(line, "unchanged")
            else:
                changed.append(Line(line.number, replace(line.record, value=moved)))
        yield from self._put(changed, self._store.moving.put_runs)

    def _deleted(self, lines: Sequence[Line]) -> set[str]:
        """Return the schedules that are gone, of runs that were in workers' hands."""
        runs = [cast("MovedRun", line.record.value).run for line in lines]
        wanted = {(r.tenant, r.schedule) for r in runs if r.state in HELD}
        find = self._store.schedules.find
        return {name for tenant, name in wanted if find(tenant, name) is None}

    # Both.

    def _put(
        self, lines: Sequence[Line], put: Callable[..., Sequence[bool]]
    ) -> Iterator[Outcome]:
        """Store what changed at once, or one by one where one is refused."""
        if not lines:
            return
        try:
            stored = put([line.record.value for line in lines])
        except errors.Unavailable:
            raise
        except errors.CronyError:
            yield from self._each(lines, put)
            return
        yield from map(put_outcome, lines, stored)

    def _each(
        self, lines: Sequence[Line], put: Callable[..., Sequence[bool]]
    ) -> Iterator[Outcome]:
        for line in lines:
            try:
                (stored,) = put([line.record.value])
            except errors.Unavailable:
                raise
            except errors.NameTaken:
                self._named.append(line)
            except errors.CronyError as exc:
                yield refused(line, exc)
            else:
                yield put_outcome(line, stored)


def _name(line: Line) -> str:
    value = line.record.value
    assert isinstance(value, MovedSchedule)
    assert value.schedule is not None
    return str(value.schedule.definition.name)
