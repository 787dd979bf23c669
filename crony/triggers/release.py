"""Which rules of time zones are in use, told by what the tz database's files hold.

A version number would not do: ``zoneinfo`` prefers the host's files to those of the
package ``tzdata``, a host may mix both, and distributions mend zones without a new
number. Two processes that read the same files get the same answer.
"""

from __future__ import annotations

import hashlib
import zoneinfo
from datetime import timedelta
from functools import lru_cache

from crony.model.trigger import At, Every, Trigger
from crony.triggers.zone import HOST_DEPENDENT, digest_of, zone_named


@lru_cache(maxsize=1)
def zone_release() -> str:
    """Return a digest of all zones, as they were when this was first asked for."""
    digest = hashlib.sha256()
    for name in sorted(zoneinfo.available_timezones() - HOST_DEPENDENT):
        digest.update(f"{name} {digest_of(name)}\n".encode())
    return digest.hexdigest()


def rules_of(trigger: Trigger) -> str:
    """Return a digest of the rules of the zone that a trigger's instants follow.

    Empty where they follow none, or one whose offset is fixed: then no release of the
    tz database moves them. Raises ``InvalidTrigger`` for a zone that is gone.
    """
    fixed = isinstance(trigger, At) or (
        isinstance(trigger, Every) and isinstance(trigger.interval, timedelta)
    )
    return "" if fixed else zone_named(trigger.timezone).rules
