"""Which requests of a worker count that was started again, or has asked anew."""

from __future__ import annotations

import re

from crony import errors


def check_session(
    session: str, sequence: int, *, stored: str | None, newest: int
) -> None:
    """Refuse a request that a newer poll of the same worker has replaced."""
    if session != stored or sequence != newest:
        raise errors.StaleToken("a newer request of this worker has come since")


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
