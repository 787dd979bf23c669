"""Duties, in Redis."""

from __future__ import annotations

from datetime import datetime, timedelta

from crony.storage.codec import cut, instant_out, maybe_instant_in
from crony.storage.contract import Duties
from crony.storage.redis import layout
from crony.storage.redis.engine import Engine


class RedisDuties(Duties):
    """Duties as records of a space of their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def hold(
        self, duty: str, holder: str, *, now: datetime, ttl: timedelta
    ) -> tuple[bool, datetime | None]:
        done = self._engine.call(
            "duty_hold",
            layout.DUTIES,
            duty=duty,
            holder=holder,
            now=instant_out(now),
            ends=instant_out(cut(now) + ttl),
        )
        return bool(done["held"]), maybe_instant_in(done.get("last"))

    def release(self, duty: str, holder: str) -> None:
        self._engine.call("duty_release", layout.DUTIES, duty=duty, holder=holder)

    def note(self, duty: str) -> str | None:
        note = self._engine.call("duty_note", layout.DUTIES, duty=duty)
        return None if note is None else str(note)

    def leave(self, duty: str, holder: str, note: str) -> bool:
        return bool(
            self._engine.call(
                "duty_leave", layout.DUTIES, duty=duty, holder=holder, note=note
            )
        )
