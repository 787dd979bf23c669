"""Words that a client can meet now.

The model also has those of what does not act yet (deadlines, overlap, preemption,
backfill, hooks): no answer has them, and no request may.
"""

from __future__ import annotations

from typing import TypeVar

from crony.model.state import AttemptState, Origin, Reason, RunState

_Word = TypeVar("_Word", RunState, AttemptState, Reason, Origin)


def _but(kind: type[_Word], *others: _Word) -> tuple[_Word, ...]:
    return tuple(word for word in kind if word not in others)


STATES = _but(RunState, RunState.EXPIRED)
ATTEMPT_STATES = _but(AttemptState, AttemptState.PREEMPTED)
REASONS = _but(
    Reason, Reason.DEADLINE, Reason.OVERLAP, Reason.REPLACED, Reason.PREEMPTED
)
ORIGINS = _but(Origin, Origin.BACKFILL, Origin.HOOK)

#: Why a worker must give up a lease.
REVOKED = ("cancelled", "lost", "deleted")
