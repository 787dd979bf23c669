"""Results that are kept for the next time, where little is kept by that."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import TypeVar

Given = TypeVar("Given", bound=Hashable)
Result = TypeVar("Result")

#: So many results are kept, each of what has fewer characters than this.
MOST, SHORT = 1024, 8192


def remembering(
    work: Callable[[Given], Result], *, length: Callable[[Given], int]
) -> Callable[[Given], Result]:
    """Return what does the same pure ``work``, and most often has done it already.

    ``length`` says roughly how many characters there are in what it is given. A tenant
    may write half a million of them where most write a hundred: to keep a thousand
    such would take the memory of all others.
    """
    remembered = lru_cache(maxsize=MOST)(work)

    def done(given: Given) -> Result:
        return remembered(given) if length(given) < SHORT else work(given)

    return done
