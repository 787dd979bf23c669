"""Words that a client can meet."""

from __future__ import annotations

from crony.model.state import AttemptState, Origin, Reason, RunState

STATES = tuple(RunState)
ATTEMPT_STATES = tuple(AttemptState)
REASONS = tuple(Reason)
ORIGINS = tuple(Origin)

#: Why a worker must give up a lease.
REVOKED = ("cancelled", "lost", "preempted", "replaced", "deleted")
