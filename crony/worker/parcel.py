"""What goes into a request together, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crony.worker.reports import Item


@dataclass(frozen=True, slots=True)
class Parcel:
    """Items of one request that belong together."""

    items: Sequence[Item]
    #: Gets the status of each item, or nothing when there was no answer.
    settle: Callable[[Sequence[int]], None]

    @property
    def weight(self) -> int:
        """Roughly how long it is in a request."""
        return sum(map(_weight, self.items))


def _weight(item: Item) -> int:
    chunks = item.get("log")
    if not isinstance(chunks, list):
        return 1024
    sizes = (
        100 + len(str(chunk.get("data", "")))
        for chunk in chunks
        if isinstance(chunk, dict)
    )
    return 1024 + sum(sizes)
