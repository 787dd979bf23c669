"""Things that have a name, and lists of them, in Redis."""

from __future__ import annotations

from typing import Protocol, TypeVar

from crony.storage.contract import Page, Position
from crony.storage.redis.engine import Engine
from crony.storage.redis.paging import page_of
from crony.storage.redis.values import value_in


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Thing = TypeVar("_Thing", bound=_Named)


def find(
    engine: Engine, tenant: str, under: str, name: str, *, kind: type[_Thing]
) -> _Thing | None:
    """Return the tenant's thing of that name; ``under`` is its key in ``layout``."""
    record = engine.call("named_find", tenant, kind=under, name=name)
    return None if record is None else value_in(kind, record)


def page(
    engine: Engine,
    tenant: str,
    under: str,
    *,
    kind: type[_Thing],
    limit: int,
    after: Position | None,
) -> Page[_Thing]:
    """Return things by name."""
    records = engine.call(
        "named_page",
        tenant,
        kind=under,
        limit=limit,
        after=None if after is None else after[1],
    )
    return page_of(
        records,
        limit=limit,
        read=lambda record: value_in(kind, record),
        place=lambda last: (last.name, last.name),
    )
