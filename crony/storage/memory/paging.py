"""Lists, piece by piece, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from crony.storage.codec import kept
from crony.storage.contract import Page, Position

Item = TypeVar("Item")


def paged(
    items: Iterable[Item],
    key: Callable[[Item], Position],
    *,
    order: Callable[[Position], tuple[object, ...]],
    limit: int,
    after: Position | None,
) -> Page[Item]:
    """Return the ``limit`` items that come after a position.

    ``order`` turns a position into what sorts like it.
    """

    def place(item: Item) -> tuple[object, ...]:
        return order(key(item))

    found = sorted(items, key=place)
    if after is not None:
        found = [item for item in found if place(item) > order(after)]
    more = len(found) > limit
    return Page(
        tuple(kept(item) for item in found[:limit]),
        key(found[limit - 1]) if more and limit else None,
    )


def as_it_is(position: Position) -> tuple[object, ...]:
    """Return what sorts like a position that sorts like itself."""
    return position


class Down(str):
    """A text that sorts the other way round."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)
