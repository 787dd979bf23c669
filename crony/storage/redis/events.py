"""Events, in Redis: the verbs' scripts leave them (``parts/events.lua``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from crony.model.event import Event
from crony.model.run import Run
from crony.model.task import Json, JsonObject
from crony.storage import changes
from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import Events
from crony.storage.redis import layout
from crony.storage.redis.engine import Engine
from crony.storage.redis.faults import translated
from crony.storage.redis.records import Reader
from crony.storage.redis.sweeping import swept_of
from crony.storage.redis.values import raw, unpacked

#: The least that is read at a time where some of it is left out.
_PIECE = 500
#: What an event of a noun says; Lua leaves out what is ``None``.
_MEMBERS = {
    "schedule": ("id", "name", "revision"),
    "worker": ("id", "name", "state"),
}

_Entry = tuple[bytes, Mapping[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An entry of the stream."""

    sequence: int
    fields: Mapping[bytes, bytes]

    def text(self, name: bytes) -> str:
        """Return one of its fields."""
        return self.fields[name].decode()


class RedisEvents(Events):
    """Events in a stream of their tenant, whose ids are the sequences."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader

    def page(
        self,
        tenant: str,
        *,
        after: int,
        limit: int,
        types: frozenset[str] = frozenset(),
        schedule: str | None = None,
    ) -> Sequence[Event]:
        found: list[_Kept] = []
        some = max(limit, _PIECE) if types else limit
        while len(found) < limit:
            if schedule is None:
                piece = self._newer(tenant, after, limit=some)
            else:
                piece = self._newer_of(tenant, schedule, after, limit=some)
            found += [e for e in piece if changes.wanted(e.text(b"type"), types)]
            if len(piece) < some:
                break
            after = piece[-1].sequence
        return self._events(tenant, found[:limit])

    def _newer(self, tenant: str, after: int, *, limit: int) -> list[_Kept]:
        with translated():
            entries = self._engine.client.xrange(
                layout.prefix(tenant) + "events", min=f"{after + 1}-0", count=limit
            )
        return [_kept(entry) for entry in cast("list[_Entry]", entries)]

    def _newer_of(
        self, tenant: str, schedule: str, after: int, *, limit: int
    ) -> list[_Kept]:
        entries = self._engine.call(
            "event_of", tenant, schedule=schedule, after=after, limit=limit
        )
        return [_kept((raw(at), _paired(fields))) for at, fields in entries]

    def _events(self, tenant: str, found: Sequence[_Kept]) -> tuple[Event, ...]:
        told = [entry for entry in found if b"run" in entry.fields]
        runs = self._reader.runs(tenant, [unpacked(e.fields[b"run"]) for e in told])
        of = dict(zip((entry.sequence for entry in told), runs, strict=True))
        return tuple(_event(tenant, e, of.get(e.sequence)) for e in found)

    def bounds(self, tenant: str) -> tuple[int, int]:
        forgotten, newest = self._engine.call("event_bounds", tenant)
        return forgotten, newest

    def prune(self, *, before: datetime, limit: int) -> int:
        names = self._engine.tenants()
        oldest = self._engine.each("event_oldest", [(name, {}) for name in names])
        old = [
            name
            for name, at in zip(names, oldest, strict=True)
            if at is not None and at < instant_out(before)
        ]
        return swept_of(self._engine, "event_prune", old, before=before, limit=limit)


def _kept(entry: _Entry) -> _Kept:
    return _Kept(int(entry[0].partition(b"-")[0]), entry[1])


def _paired(flat: Sequence[str]) -> dict[bytes, bytes]:
    values = [raw(each) for each in flat]
    return dict(zip(values[::2], values[1::2], strict=True))


def _event(tenant: str, entry: _Kept, run: Run | None) -> Event:
    kind = entry.text(b"type")
    return Event(
        sequence=entry.sequence,
        tenant=tenant,
        type=kind,
        subject=entry.text(b"subject"),
        schedule=entry.text(b"schedule") or None,
        at=instant_in(int(entry.fields[b"at"])),
        run=run,
        data=_data(kind, entry.fields.get(b"data")),
    )


def _data(kind: str, kept: bytes | None) -> JsonObject | None:
    if kept is None:
        return None
    said = cast("Mapping[str, Json]", unpacked(kept))
    return {name: said.get(name) for name in _MEMBERS[kind.partition(".")[0]]}
