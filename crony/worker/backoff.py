"""How long to wait after a request that failed."""

import random
from collections.abc import Callable
from datetime import timedelta

from crony import errors

_FIRST = timedelta(milliseconds=100)
#: The service is back within seconds as a rule, and late runs are waiting for it: its
#: start takes one, and the first of them is to begin within two.
_LONGEST = timedelta(seconds=1)
#: What a service may ask for at most.
_PATIENCE = timedelta(seconds=60)


class Backoff:
    """Waits that double up to one second, spread so that workers do not return
    together."""

    def __init__(self, *, fraction: Callable[[], float] = random.random) -> None:
        self._fraction = fraction
        self._next = _FIRST

    def reset(self) -> None:
        """Begin anew: a request succeeded."""
        self._next = _FIRST

    def after(self, exc: errors.ClientError) -> timedelta:
        """Return how long to wait after this failure."""
        wait = self._next * (0.5 + 0.5 * self._fraction())
        self._next = min(self._next * 2, _LONGEST)
        if isinstance(exc, errors.Refused) and exc.retry_after is not None:
            asked = min(exc.retry_after, _PATIENCE)
            return max(wait, asked * (1 + 0.2 * self._fraction()))
        return wait


def passing(exc: errors.ClientError) -> bool:
    """Whether the same request may succeed later."""
    return not isinstance(exc, errors.Refused) or passing_status(exc.status)


def passing_status(status: int) -> bool:
    """Whether what was answered with this status may succeed later.

    A key may be made good again: what it is refused for is not lost.
    """
    return status >= 500 or status in (401, 403, 408, 425, 429)
