"""What each worker was told to give up, so that no poll ends twice for one thing.

A revocation is repeated in every answer until the worker no longer holds the run,
which takes as long as the task does to end. Were each a reason to answer early, a
worker would ask in circles until then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from crony.model.lease import Revoked

#: Of so many workers; one that is forgotten hears of the same thing early again.
_WORKERS = 10_000


class Told:
    """The revocations in each worker's last answer; used on the event loop alone."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[str, frozenset[Revoked]]] = OrderedDict()

    def is_news(self, worker: str, *, session: str, revoked: Sequence[Revoked]) -> bool:
        """Whether one of these was not in the last answer to this session."""
        known_session, known = self._last.get(worker, ("", frozenset()))
        if known_session != session:
            return bool(revoked)
        return any(one not in known for one in revoked)

    def tell(self, worker: str, *, session: str, revoked: Sequence[Revoked]) -> None:
        """Record an answer, which lists everything that is revoked."""
        self._last.pop(worker, None)
        if not revoked:
            return
        self._last[worker] = (session, frozenset(revoked))
        if len(self._last) > _WORKERS:
            self._last.popitem(last=False)
