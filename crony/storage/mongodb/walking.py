"""Over the schedules of all tenants, those that are gone among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from crony.storage.contract import Position
from crony.storage.documents import Document
from crony.storage.mongodb import kinds
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.work import id_of


def walk(
    engine: Engine, *, limit: int, after: Position | None
) -> tuple[Sequence[Document], Position | None]:
    """Return the next schedules that ever were, and where to go on."""
    ranges: list[Document] = [{"tenant": {"$gt": ""}, "id": {"$gt": ""}}]
    if after is not None:
        tenant, id = after
        ranges = [
            {"tenant": tenant, "id": {"$gt": id}},
            {"tenant": {"$gt": tenant}, "id": {"$gt": ""}},
        ]
    walked: list[Document] = []
    for piece in ranges:
        walked += engine.everywhere(
            kinds.SCHEDULES,
            piece,
            sort=[("tenant", 1), ("id", 1)],
            limit=limit - len(walked),
        )
    if len(walked) < limit or not walked:
        return walked, None
    last = walked[-1]
    return walked, (cast("str", last["tenant"]), id_of(last))
