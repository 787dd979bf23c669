"""Duties, in SQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import Duties
from crony.storage.sql.dialect import text
from crony.storage.sql.noun import Noun
from crony.storage.sql.rows import after

_FIND = text("SELECT holder, until, last FROM duties WHERE duty = :duty")
_TAKE = text(
    "INSERT INTO duties (duty, holder, until, last)"
    " VALUES (:duty, :holder, :until, :last) ON CONFLICT (duty) DO UPDATE"
    " SET holder = excluded.holder, until = excluded.until, last = excluded.last"
)
_RELEASE = text(
    "UPDATE duties SET holder = NULL WHERE duty = :duty AND holder = :holder"
)

_NOTE = text("SELECT note FROM duties WHERE duty = :duty")
_LEAVE = text(
    "UPDATE duties SET note = :note WHERE duty = :duty AND holder = :holder"
    " RETURNING duty"
)


class SqlDuties(Noun, Duties):
    """Duties in a table of their own."""

    def hold(
        self, duty: str, holder: str, *, now: datetime, ttl: timedelta
    ) -> tuple[bool, datetime | None]:
        instant = instant_out(now)
        with self._database.writing(f"/duty/{duty}") as connection:
            known = connection.execute(_FIND, {"duty": duty}).first()
            last = None
            newest = instant
            if known is not None:
                of, until, looked = known
                last, newest = instant_in(looked), max(instant, looked)
                if of not in (None, holder) and until > instant:
                    return False, last
            connection.execute(
                _TAKE,
                {
                    "duty": duty,
                    "holder": holder,
                    "until": after(instant, ttl),
                    "last": newest,
                },
            )
            return True, last

    def release(self, duty: str, holder: str) -> None:
        with self._database.writing() as connection:
            connection.execute(_RELEASE, {"duty": duty, "holder": holder})

    def note(self, duty: str) -> str | None:
        with self._database.reading() as connection:
            note = connection.execute(_NOTE, {"duty": duty}).scalar()
        return None if note is None else str(note)

    def leave(self, duty: str, holder: str, note: str) -> bool:
        asked = {"duty": duty, "holder": holder, "note": note}
        with self._database.writing() as connection:
            return connection.execute(_LEAVE, asked).scalar() is not None
