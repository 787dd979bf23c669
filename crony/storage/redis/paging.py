"""Pages of lists: one item more is read than a page holds, to know if it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from crony.storage.contract import Page, Position

Kept = TypeVar("Kept")
Item = TypeVar("Item")


def page_of(
    found: Sequence[Kept],
    *,
    limit: int,
    read: Callable[[Kept], Item],
    place: Callable[[Item], Position],
) -> Page[Item]:
    """Return the items of a page; ``place`` is where the list goes on after one."""
    items = tuple(read(each) for each in found[:limit])
    if len(found) <= limit or not items:
        return Page(items, None)
    return Page(items, place(items[-1]))
