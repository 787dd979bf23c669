"""Trying a conditional write again after somebody else was first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crony import errors

#: So many lost races in a row mean that the thing is under heavy contention.
TRIES = 20


def again(noun: str) -> Iterator[int]:
    """Count tries; raise ``Overloaded`` once there were too many.

    Each try reads anew: being late is a normal result, not an error.
    """
    yield from range(TRIES)
    raise errors.Overloaded(
        f"others keep changing this {noun}; try again",
        retry_after=timedelta(seconds=1),
    )
