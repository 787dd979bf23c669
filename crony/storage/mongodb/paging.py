"""Lists, piece by piece: a range of an index, from where the last one ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from crony.storage.contract import Page, Position
from crony.storage.documents import Document
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.work import Work

_Item = TypeVar("_Item")


def page(
    work: Work,
    kind: str,
    where: Filter,
    *,
    by: str,
    read: Callable[[Document], _Item],
    limit: int,
    after: Position | None,
    down: bool = False,
    then: str = "id",
) -> Page[_Item]:
    """Return a page of the tenant's documents that say this, sorted by a member.

    Ties are broken by ``then``, in the same direction; what has no ties names the same
    member. There is an index of the tenant and these two.
    """
    direction, beyond = (-1, "$lt") if down else (1, "$gt")
    beginning: Filter = {by: {"$exists": True}}
    pieces = [beginning]
    if after is not None:
        # Two ranges, each of the index: what is of the last one's value, and the rest.
        ties = [] if by == then else [{by: after[0], then: {beyond: after[1]}}]
        pieces = [*ties, {by: {beyond: after[0]}}]
    sort = {by: direction, then: direction}
    found: list[Document] = []
    for piece in pieces:
        found += work.find(
            kind,
            {**where, **piece},
            sort=list(sort.items()),
            limit=limit + 1 - len(found),
        )
    more = len(found) > limit > 0
    last = found[limit - 1] if more else None
    return Page(
        tuple(read(document) for document in found[:limit]),
        None
        if last is None
        else (cast("str | int | None", last[by]), cast("str", last[then])),
    )
