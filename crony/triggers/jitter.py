"""Jitter: a delay that belongs to an occurrence and is the same on every node."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from crony.clock import MOMENT
from crony.model import ids

_DRAWS: Final = 1 << 64


def jittered(
    schedule_id: str,
    occurrence: datetime,
    *,
    jitter: timedelta,
    following: datetime | None,
) -> datetime:
    """Return when an occurrence is due: less than ``jitter`` after it.

    The delay is a whole number of milliseconds drawn from the schedule and the
    occurrence, so it survives restarts. It ends before ``following``, the next
    occurrence: jitter never changes an order.
    """
    if following is not None:
        jitter = min(jitter, following - occurrence)
    choices = jitter // MOMENT
    if choices <= 1:
        return occurrence
    nominal = ids.milliseconds(occurrence)
    digest = hashlib.sha256(f"{schedule_id}\n{nominal}".encode()).digest()
    delay = int.from_bytes(digest[:8], "big") * choices // _DRAWS
    return occurrence + delay * MOMENT
