"""What limits let through, and what they say."""

from __future__ import annotations

from datetime import timedelta

#: So many of the runs that take a limit up are named.
SCOPE_RUNS = 10

#: When to ask again after a quota was met: people have to act first.
QUOTA_PAUSE = timedelta(seconds=60)


def catch_up_share(slots: int) -> int:
    """Return how many runs that catch up a worker may have in its hands."""
    return max(1, slots // 2)
