"""Records come into a store, in pieces, as often as it takes.

Each piece is taken by itself, and begins with the header of its export. A line that
is refused spoils no other. While the tenant is held, what is there already is compared
with what comes: what is the same stays, what changed is replaced, and runs that lie
between two lines, or behind the last, are gone there and go here. So the same piece
again changes nothing, and a later export brings what changed since.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from crony import errors
from crony.clock import Clock
from crony.errors import Fault
from crony.model.group import Group, Profile
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.state import HELD
from crony.model.webhook import Webhook
from crony.model.worker import Key, Role, Tenant
from crony.scheduler.contention import again
from crony.scheduler.delivery import new_secret
from crony.scheduler.keys import FIRST_KEY, renamed
from crony.scheduler.moving.arrival import arrived
from crony.scheduler.moving.lines import FORMAT, End, Header, Kind, Record, Runs, read
from crony.scheduler.moving.releasing import held_by
from crony.storage.contract import Page, Position, Store

#: So many schedules or runs are stored in one step.
_BATCH = 32

_Moved = TypeVar("_Moved", MovedSchedule, MovedRun)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a line: ``stored``, ``unchanged``, ``refused``, or only read."""

    #: Its number in the piece, from 1.
    line: int
    word: str
    kind: Kind | None = None
    id: str = ""
    error: errors.CronyError | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    record: Record


class Arriving:
    """Takes lines in."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy

    def take(
        self, lines: Iterable[bytes], *, tenant: str | None = None, admin: bool = True
    ) -> Iterator[Outcome]:
        """Store what the lines of a piece say; yield what became of each.

        With ``tenant`` only lines of that one are taken. Keys of admins are for an
        ``admin`` to bring. Raises ``InvalidBody`` for a piece without a header that
        is known here, before anything is stored.
        """
        numbered = enumerate(lines, 1)
        header = _header(next(numbered, None))
        yield Outcome(line=1, word="read", kind=Kind.HEADER)
        piece = _Piece(
            self._store,
            self._clock,
            self._entropy,
            header=header,
            tenant=tenant,
            admin=admin,
        )
        pending: list[_Line] = []
        for number, line in numbered:
            found = piece.read(number, line)
            if isinstance(found, Outcome):
                yield found
                continue
            if pending and _apart(pending, found):
                yield from piece.store(pending)
                pending = []
            pending.append(found)
        if pending:
            yield from piece.store(pending)
        yield from piece.tried_again()


def _header(first: tuple[int, bytes] | None) -> Header:
    if first is None:
        raise errors.InvalidBody([Fault("", "is empty; send at least a header")])
    record = read(first[1])
    if not isinstance(record.value, Header):
        raise errors.InvalidBody(
            [Fault("", "must begin with the header, the first line of its export")]
        )
    if record.value.format > FORMAT:
        raise errors.InvalidBody(
            [
                Fault(
                    "/value/format",
                    f"is {record.value.format}, and this release reads up to "
                    f"{FORMAT}; import it with release {record.value.crony} or newer",
                )
            ]
        )
    return record.value


def _apart(pending: Sequence[_Line], line: _Line) -> bool:
    """Return whether a line is not to be stored in one step with those before it."""
    first = pending[0].record
    together = first.kind in (Kind.SCHEDULE, Kind.RUN)
    same = (first.kind, first.tenant) == (line.record.kind, line.record.tenant)
    # Out of order there is nothing to be said of what lies between.
    ordered = pending[-1].record.id < line.record.id
    return not (together and same and ordered) or len(pending) >= _BATCH


class _Piece:
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
        self._clock = clock
        self._entropy = entropy
        self._header = header
        self._tenant = tenant
        self._admin = admin
        #: Schedules whose names were taken: who has one may lose it further on.
        self._named: list[_Line] = []

    def read(self, number: int, line: bytes) -> _Line | Outcome:
        """Return what a line says, or why it is refused."""
        try:
            record = read(line)
        except (errors.MalformedBody, errors.InvalidBody) as exc:
            return Outcome(line=number, word="refused", error=exc)
        if record.kind in (Kind.HEADER, Kind.COMPLETE):
            return Outcome(line=number, word="read", kind=record.kind)
        found = _Line(number, record)
        if self._tenant not in (None, record.tenant):
            return _refused(
                found,
                errors.Forbidden(
                    f"it is of the tenant {record.tenant}, and this import is into "
                    f"{self._tenant}"
                ),
            )
        return found

    def store(self, lines: Sequence[_Line]) -> Iterator[Outcome]:
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
                stored = self._one(line.record)
                yield _said(line, "stored" if stored else "unchanged")
        except errors.Unavailable:
            raise
        except errors.CronyError as exc:
            yield from (_refused(line, exc) for line in lines)

    def _require_held(self, tenant: str) -> None:
        found = self._store.tenants.find(tenant)
        if found is None:
            raise errors.NotFound("tenant", tenant)
        if not found.held:
            raise errors.Conflict(
                f"the tenant {tenant} is not held; an import begins with the line of "
                "its tenant, and ends with its activation"
            )

    def _one(self, record: Record) -> bool:
        """Store a record that goes by itself; return whether it changed anything."""
        value = record.value
        match value:
            case Tenant():
                return held_by(self._store, self._clock, value, profile=False)
            case Profile():
                return self._profile(value)
            case Group():
                return self._group(value)
            case Key():
                return self._key(value)
            case Webhook():
                return self._webhook(value)
            case Runs():
                return self._sweep(record)
            case End():
                return held_by(self._store, self._clock, value.tenant, profile=True)
        raise AssertionError(f"a {record.kind} does not go by itself")

    def _profile(self, profile: Profile) -> bool:
        profiles = self._store.profiles
        for _ in again("profile"):
            found = profiles.find(profile.tenant, profile.name)
            if found == profile:
                return False
            if profiles.put(profile, expected=found.revision if found else None):
                return True
        raise AssertionError("unreachable")

    def _group(self, group: Group) -> bool:
        groups = self._store.groups
        for _ in again("group"):
            found = groups.find(group.tenant, group.name)
            if found == group:
                return False
            if groups.put(group, expected=found.revision if found else None)[0]:
                return True
        raise AssertionError("unreachable")

    def _key(self, key: Key) -> bool:
        # SECURITY: a key may not bring more than who brings it has.
        if key.role is Role.WORKER:
            raise errors.Forbidden("keys of workers do not move: register them anew")
        if key.role is Role.ADMIN and not self._admin:
            raise errors.Forbidden("only an admin key may bring an admin key")
        known = self._store.keys.by_digest(key.digest)
        if known is not None:
            if (known.tenant, known.role) != (key.tenant, key.role):
                raise errors.Conflict(f"the key {known.id} has the same secret")
            return False
        if self._store.keys.insert(key):
            return True
        if key.id == FIRST_KEY and self._store.keys.insert(renamed(key)):
            # Each store has a key of that id, of its own first start.
            return True
        raise errors.Conflict("the id is another key's")

    def _webhook(self, webhook: Webhook) -> bool:
        webhooks = self._store.webhooks
        for _ in again("webhook"):
            found = webhooks.find(webhook.tenant, webhook.name)
            position = max(self._store.events.bounds(webhook.tenant))
            arriving = replace(
                webhook, position=position if found is None else found.position
            )
            if not webhook.secret:
                # Who receives must be told the new secret first.
                arriving = replace(
                    arriving,
                    secret=found.secret if found else new_secret(self._entropy),
                    paused=True,
                )
            if found == arriving:
                return False
            if webhooks.put(arriving, expected=found.revision if found else None):
                return True
        raise AssertionError("unreachable")

    # Schedules.

    def _schedules(self, lines: Sequence[_Line]) -> Iterator[Outcome]:
        there = self._there(lines, self._store.moving.schedules, lambda item: item.id)
        changed = []
        for line in lines:
            if there.get(line.record.id) == line.record.value:
                yield _said(line, "unchanged")
            else:
                changed.append(line)
        yield from self._put(changed, self._store.moving.put_schedules)

    def tried_again(self) -> Iterator[Outcome]:
        """Store those whose names were taken then, and may be free now."""
        waiting, self._named = self._named, []
        for line in waiting:
            yield from self._each([line], self._store.moving.put_schedules)
        yield from (
            _refused(line, errors.NameTaken("schedule", _name(line), holder=""))
            for line in self._named
        )

    # Runs.

    def _runs(self, lines: Sequence[_Line]) -> Iterator[Outcome]:
        there = self._there(lines, self._store.moving.runs, lambda item: item.run.id)
        self._remove(lines, there)
        deleted = self._deleted(lines)
        changed = []
        for line in lines:
            moved = cast("MovedRun", line.record.value)
            gone = moved.run.schedule in deleted
            moved = arrived(moved, deleted=gone, at=self._header.at)
            if there.get(moved.run.id) == moved:
                yield _said(line, "unchanged")
            else:
                changed.append(_Line(line.number, replace(line.record, value=moved)))
        yield from self._put(changed, self._store.moving.put_runs)

    def _deleted(self, lines: Sequence[_Line]) -> set[str]:
        """Return the schedules that are gone, of runs that were in workers' hands."""
        runs = [cast("MovedRun", line.record.value).run for line in lines]
        wanted = {(r.tenant, r.schedule) for r in runs if r.state in HELD}
        find = self._store.schedules.find
        return {name for tenant, name in wanted if find(tenant, name) is None}

    def _remove(self, lines: Sequence[_Line], there: Mapping[str, MovedRun]) -> None:
        """Remove runs of which the lines say that they are not there any more."""
        gaps = [
            (line.record.after, line.record.id)
            for line in lines
            if line.record.after is not None
        ]
        known = {line.record.id for line in lines}
        gone = [
            item
            for name, item in there.items()
            if name not in known and any(low < name < high for low, high in gaps)
        ]
        self._gone(lines[0].record.tenant, gone)

    def _gone(self, tenant: str, items: Iterable[MovedRun]) -> bool:
        """Remove runs; return whether any went.

        The history of schedules that are deleted here is left to retention: they may
        have been this tenant's own before anything moved in.
        """
        find = self._store.schedules.find
        gone = [
            item.run.id
            for item in items
            if not item.run.over or find(tenant, item.run.schedule) is not None
        ]
        return bool(gone) and self._store.moving.remove_runs(tenant, gone) > 0

    def _sweep(self, record: Record) -> bool:
        """Remove runs behind the last one."""
        last, removed = record.after, False
        while last is not None:
            page = self._store.moving.runs(
                record.tenant, limit=_BATCH, after=(last, last) if last else None
            )
            removed = self._gone(record.tenant, page.items) or removed
            last = page.next[1] if page.next else None
        return removed

    # Both.

    def _there(
        self,
        lines: Sequence[_Line],
        page: Callable[..., Page[_Moved]],
        name: Callable[[_Moved], str],
    ) -> dict[str, _Moved]:
        """Return what the store has from behind the first line's ``after`` on."""
        first, last = lines[0].record, lines[-1].record.id
        low = first.after
        after: Position | None = (low, low) if low else None
        found: dict[str, _Moved] = {}
        while True:
            got = page(first.tenant, limit=_BATCH, after=after)
            found |= {name(item): item for item in got.items if name(item) <= last}
            after = got.next
            if after is None or after[1] >= last:
                return found

    def _put(
        self, lines: Sequence[_Line], put: Callable[..., Sequence[bool]]
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
        yield from map(_put_outcome, lines, stored)

    def _each(
        self, lines: Sequence[_Line], put: Callable[..., Sequence[bool]]
    ) -> Iterator[Outcome]:
        for line in lines:
            try:
                (stored,) = put([line.record.value])
            except errors.Unavailable:
                raise
            except errors.NameTaken:
                self._named.append(line)
            except errors.CronyError as exc:
                yield _refused(line, exc)
            else:
                yield _put_outcome(line, stored)


def _put_outcome(line: _Line, stored: bool) -> Outcome:  # noqa: FBT001  # for ``map``
    if stored:
        return _said(line, "stored")
    return _refused(
        line,
        errors.Conflict(
            "the id is used here, by another tenant or by a run that a worker has"
        ),
    )


def _name(line: _Line) -> str:
    value = line.record.value
    assert isinstance(value, MovedSchedule)
    assert value.schedule is not None
    return str(value.schedule.definition.name)


def _said(line: _Line, word: str) -> Outcome:
    record = line.record
    return Outcome(line=line.number, word=word, kind=record.kind, id=record.id)


def _refused(line: _Line, error: errors.CronyError) -> Outcome:
    return replace(_said(line, "refused"), error=error)
