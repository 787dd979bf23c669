"""What is there already, and what of it is gone where it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from crony.model.moving import MovedRun, MovedSchedule
from crony.scheduler.moving.lines import Record
from crony.scheduler.moving.outcome import Line
from crony.storage.contract import Page, Position, Store

#: So many schedules or runs are looked at, or stored, in one step.
BATCH = 32

_Moved = TypeVar("_Moved", MovedSchedule, MovedRun)


def there(
    lines: Sequence[Line],
    page: Callable[..., Page[_Moved]],
    name: Callable[[_Moved], str],
) -> dict[str, _Moved]:
    """Return what the store has from behind the first line's ``after`` on."""
    first, last = lines[0].record, lines[-1].record.id
    low = first.after
    after: Position | None = (low, low) if low else None
    found: dict[str, _Moved] = {}
    while True:
        got = page(first.tenant, limit=BATCH, after=after)
        found |= {name(item): item for item in got.items if name(item) <= last}
        after = got.next
        if after is None or after[1] >= last:
            return found


def remove_between(
    store: Store, lines: Sequence[Line], found: Mapping[str, MovedRun]
) -> None:
    """Remove runs of which the lines say that they are not there any more."""
    gaps = [
        (line.record.after, line.record.id)
        for line in lines
        if line.record.after is not None
    ]
    known = {line.record.id for line in lines}
    gone = [
        item
        for name, item in found.items()
        if name not in known and any(low < name < high for low, high in gaps)
    ]
    _remove(store, lines[0].record.tenant, gone)


def remove_behind(store: Store, record: Record) -> bool:
    """Remove runs behind the last one; return whether any went."""
    last, removed = record.after, False
    while last is not None:
        page = store.moving.runs(
            record.tenant, limit=BATCH, after=(last, last) if last else None
        )
        removed = _remove(store, record.tenant, page.items) or removed
        last = page.next[1] if page.next else None
    return removed


def _remove(store: Store, tenant: str, items: Iterable[MovedRun]) -> bool:
    """Remove runs; return whether any went.

    The history of schedules that are deleted here is left to retention: they may
    have been this tenant's own before anything moved in.
    """
    find = store.schedules.find
    gone = [
        item.run.id
        for item in items
        if not item.run.over or find(tenant, item.run.schedule) is not None
    ]
    return bool(gone) and store.moving.remove_runs(tenant, gone) > 0
