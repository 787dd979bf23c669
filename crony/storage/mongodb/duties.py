"""Duties, in MongoDB: each a document by itself, written under a condition."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from crony.storage.codec import cut, instant_in, instant_out
from crony.storage.contract import Duties
from crony.storage.mongodb import kinds
from crony.storage.mongodb.database import Database, Documents
from crony.storage.mongodb.faults import translated


class MongoDuties(Duties):
    """Duties as documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _duties(self) -> Documents:
        return self._database.documents(kinds.DUTIES)

    def hold(
        self, duty: str, holder: str, *, now: datetime, ttl: timedelta
    ) -> tuple[bool, datetime | None]:
        instant = instant_out(now)
        taken = {"holder": holder, "until": instant_out(cut(now) + ttl)}
        free = [{"holder": {"$in": [None, holder]}}, {"until": {"$lte": instant}}]
        with translated():
            while True:
                before = self._duties.find_one_and_update(
                    {"_id": duty, "$or": free},
                    {"$set": taken, "$max": {"last": instant}},
                    return_document=ReturnDocument.BEFORE,
                )
                if before is not None:
                    return True, instant_in(cast("int", before["last"]))
                known = self._duties.find_one({"_id": duty})
                if known is not None:
                    return False, instant_in(cast("int", known["last"]))
                try:
                    self._duties.insert_one({"_id": duty, **taken, "last": instant})
                except DuplicateKeyError:
                    # Another took it first.
                    continue
                return True, None

    def release(self, duty: str, holder: str) -> None:
        with translated():
            self._duties.update_one(
                {"_id": duty, "holder": holder}, {"$set": {"holder": None}}
            )

    def note(self, duty: str) -> str | None:
        with translated():
            known = self._duties.find_one({"_id": duty})
        return None if known is None else cast("str | None", known.get("note"))

    def leave(self, duty: str, holder: str, note: str) -> bool:
        with translated():
            done = self._duties.update_one(
                {"_id": duty, "holder": holder}, {"$set": {"note": note}}
            )
        return done.matched_count == 1
