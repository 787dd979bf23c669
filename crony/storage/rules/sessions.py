"""Which requests of a worker count that was started again, or has asked anew."""

from __future__ import annotations

import re

from crony import errors
from crony.model.worker import Worker

_REPLACED = "this session of the worker was replaced"
_OLDER = "a newer request of this worker has come since"


def check_begin(worker: Worker, *, session: str, sequence: int, replaced: bool) -> None:
    """Refuse a poll of a session that is over, or that has come too late.

    ``replaced``: another session has taken the place of this one before.
    """
    if replaced or began_before(session, worker.session):
        raise errors.StaleToken(_REPLACED)
    if session == worker.session and sequence <= worker.sequence:
        raise errors.StaleToken(_OLDER)


def check_stored(worker: Worker, *, session: str) -> None:
    """Refuse a session other than the stored one; before the first poll is none."""
    if worker.session not in (None, session):
        raise errors.StaleToken(_REPLACED)


def check_session(worker: Worker, *, session: str, sequence: int) -> None:
    """Refuse a request that a newer poll of the same worker has replaced."""
    if session != worker.session or sequence != worker.sequence:
        raise errors.StaleToken(_OLDER)


#: A session that says which start of its worker it is, in numbers that grow.
_STARTED = re.compile(r"ses_(\d{1,18})_.*", re.ASCII)


def began_before(session: str, stored: str | None) -> bool:
    """Return whether a session is known to be older than the stored one.

    The first request of a process that has died may come after that of its successor,
    whose runs it would have taken for lost. Sessions ``ses_<number>_…`` are in the
    order of their numbers; of others nothing is known.
    """
    one, other = _STARTED.fullmatch(session), _STARTED.fullmatch(stored or "")
    return one is not None and other is not None and int(one[1]) < int(other[1])
