"""Idempotency keys: the same request twice creates one thing, on any node.

The first request with a key claims it, together with the id that its resource
will have. When the node dies before it answered, a later request takes the claim
over and creates under the same id, which the store lets happen only once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crony import errors
from crony.clock import MOMENT, Clock, cut
from crony.scheduler.contention import again
from crony.storage.contract import Answer, Store

#: How long a first answer is kept.
KEPT = timedelta(hours=24)

#: So many are forgotten in one step,
_BATCH = 1_000
#: and so often it is looked for more.
_SWEEP = timedelta(minutes=5)

#: A claim that is older than this and was not answered is an accident's.
ABANDONED = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that goes on: create ``resource``, or answer ``replay``."""

    resource: str
    replay: Answer | None
    digest: str
    claimed_at: datetime
    #: Another request began under this claim, and may still be under way.
    taken_over: bool = False


class Idempotency:
    """First answers by (tenant, key)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._swept_at = clock.now()

    def begin(self, tenant: str, key: str, *, digest: str, resource: str) -> Begun:
        """Claim a key, or find what was answered to it.

        ``digest`` is of the request, ``resource`` the id to create under if this
        is the first request. Raises ``KeyReused`` for another request under the
        same key, ``KeyInProgress`` while the first is under way.
        """
        for _ in again("idempotency key"):
            now = cut(self._clock.now())
            claim = Answer(resource=resource, digest=digest, claimed_at=now)
            stored = self._store.answers.claim(tenant, key, claim)
            if stored is None:
                return Begun(resource, None, digest, now)
            if now - stored.claimed_at >= KEPT:
                # An answer is only ever forgotten by its age, so that two who find
                # it too old do not both claim the key.
                self.prune(now + MOMENT)
                continue
            if stored.digest != digest:
                raise errors.KeyReused(
                    "this Idempotency-Key came before with another request; "
                    "use a new one for each request"
                )
            if stored.status is not None:
                return Begun(stored.resource, stored, digest, stored.claimed_at)
            if now - stored.claimed_at < ABANDONED:
                raise errors.KeyInProgress(
                    "the first request with this Idempotency-Key is under way"
                )
            # Go on where that one was cut off, under the id it had chosen; unless
            # it, or another that takes over, comes first.
            renewed = replace(stored, claimed_at=now)
            if self._store.answers.complete(
                tenant, key, renewed, claimed_at=stored.claimed_at
            ):
                return Begun(stored.resource, None, digest, now, taken_over=True)
        raise AssertionError("unreachable")

    def finish(
        self,
        tenant: str,
        key: str,
        begun: Begun,
        *,
        status: int,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> None:
        """Keep the first answer; it must not hold a secret.

        One whose claim was taken over meanwhile keeps nothing: whoever has it
        creates under the same id, and answers the same.
        """
        answer = Answer(
            resource=begun.resource,
            digest=begun.digest,
            claimed_at=begun.claimed_at,
            status=status,
            headers=dict(headers),
            body=body,
        )
        self._store.answers.complete(tenant, key, answer, claimed_at=begun.claimed_at)

    def abandon(self, tenant: str, key: str, begun: Begun) -> None:
        """Forget the claim of a request that was refused and created nothing.

        One that was taken over stays, since the first request may still create
        something: then a repeat must find it under the same id.
        """
        if not begun.taken_over:
            self._store.answers.release(tenant, key, claimed_at=begun.claimed_at)

    def prune(self, now: datetime) -> int:
        """Forget answers that are no longer kept; return how many."""
        return self._store.answers.prune(before=now - KEPT, limit=_BATCH)

    def sweep(self) -> None:
        """Prune every few minutes, and on each call while there is a backlog."""
        now = self._clock.now()
        # A clock that was set back must not put it off.
        if abs(now - self._swept_at) >= _SWEEP and self.prune(now) < _BATCH:
            self._swept_at = now
