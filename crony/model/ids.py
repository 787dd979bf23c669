"""Ids: a prefix and 26 digits of Crockford's base32.

Most are time-ordered: 48 bits of milliseconds, then 80 bits of randomness. The
id of an occurrence's run is a function of its schedule and nominal instant, so
that two nodes, a crash or a repeat make one run and not two.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

from crony import clock

SCHEDULE, RUN, WORKER, KEY, EVENT = "sch_", "run_", "wrk_", "key_", "evt_"

#: How many random bytes ``timed`` takes.
ENTROPY = 10

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(one + other for one in _DIGITS for other in _DIGITS)
_SHIFTS = range(120, -1, -10)
_LENGTH = 26
#: So many digits hold the milliseconds.
_STAMP = 10
#: What every id matches, in small letters as a name has them.
SHAPE = "(?:sch|run|wrk|key|evt)_[0-9a-hjkmnp-tv-z]{26}"
# Without regard to case: base32 is read either way.
_SHAPE = re.compile(SHAPE, re.ASCII | re.IGNORECASE)


def milliseconds(instant: datetime) -> int:
    """Return the instant as it is kept: whole milliseconds since 1970, cut."""
    delta = instant - clock.EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def timed(prefix: str, at: datetime, *, entropy: bytes) -> str:
    """Return a new id that sorts by ``at``; ``entropy`` is ``ENTROPY`` bytes."""
    return prefix + _base32(milliseconds(at).to_bytes(6, "big") + entropy)


def numbered(base: str, number: int) -> str:
    """Return the id of the n-th thing that is made in the name of a timed id.

    It sorts by the same time, and is the same in each repeat.
    """
    raw = hashlib.sha256(f"{base}\n{number}".encode()).digest()[:ENTROPY]
    # The digits of the entropy fill the end exactly.
    digits = ENTROPY * 8 // 5
    return base[:-digits] + _base32(b"\0" * 6 + raw)[-digits:]


def instant_in(text: str) -> datetime | None:
    """Return the instant that an id of ``timed`` sorts by; ``None`` of another text."""
    if not looks_like_id(text):
        return None
    number = 0
    for digit in text.upper().partition("_")[2][:_STAMP]:
        number = number << 5 | _DIGITS.index(digit)
    return clock.EPOCH + timedelta(milliseconds=number)


def run_id(schedule: str, origin: str, scheduled_for: datetime, n: str = "0") -> str:
    """Return the id of a run.

    ``n`` is ``"0"`` for an occurrence; for every other origin it comes from the
    idempotency key or is random, so that such a run never takes its place.
    """
    text = f"{schedule}\n{origin}\n{milliseconds(scheduled_for)}\n{n}"
    return RUN + _base32(hashlib.sha256(text.encode()).digest()[:16])


def event_id(at: datetime, sequence: int) -> str:
    """Return the id of an event: it sorts by time, and holds the sequence."""
    return timed(EVENT, at, entropy=sequence.to_bytes(ENTROPY, "big"))


def event_sequence(event: str) -> int:
    """Return the sequence in an event's id; raises ``ValueError`` for another text."""
    digits = event.upper().removeprefix(EVENT.upper())
    if not event.lower().startswith(EVENT) or len(digits) != _LENGTH:
        raise ValueError(f"{event!r} is not an event's id")
    number = 0
    for digit in digits:
        number = number << 5 | _DIGITS.index(digit)
    return number & (1 << 8 * ENTROPY) - 1


def looks_like_id(text: str) -> bool:
    """Return whether a name of this shape would be taken for an id."""
    return _SHAPE.fullmatch(text) is not None


#: What is named by people, and stands in addresses.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}", re.ASCII)


def is_name(text: str) -> bool:
    """Return whether the text may be a name, and would not be taken for an id."""
    return _NAME.fullmatch(text) is not None and not looks_like_id(text)


def _base32(raw: bytes) -> str:
    # PERF: two digits at a time; each run that is made has an id.
    number = int.from_bytes(raw, "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
