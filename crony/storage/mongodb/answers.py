"""Idempotency keys with their answers, in MongoDB.

Each is a document by itself, written under a condition; no other thing of its tenant
depends on it. Its id has the number of its tenant's life in it, so that those of a
tenant that is gone are not seen by a later one; they go when they are old.
"""

from __future__ import annotations

from datetime import datetime

from pymongo.errors import DuplicateKeyError

from crony.storage.codec import instant_out
from crony.storage.contract import Answer, Answers
from crony.storage.documents import document_in, document_out
from crony.storage.mongodb import kinds
from crony.storage.mongodb.database import Documents
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.work import key as key_of

#: How often a tenant of this name was deleted.
LIFE = "lives"


class MongoAnswers(Answers):
    """Answers as documents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, tenant: str, key: str, answer: Answer) -> Answer | None:
        id = self._id(tenant, key)
        document = {"_id": id, "tenant": tenant, **document_out(answer)}
        with translated():
            while True:
                found = self._answers.find_one({"_id": id})
                if found is not None:
                    return document_in(Answer, found)
                try:
                    self._answers.insert_one(document)
                except DuplicateKeyError:
                    # Another's; by now it may even be gone again.
                    continue
                return None

    def complete(
        self, tenant: str, key: str, answer: Answer, *, claimed_at: datetime
    ) -> bool:
        claim = self._claim(tenant, key, claimed_at)
        with translated():
            done = self._answers.update_one(claim, {"$set": document_out(answer)})
        return done.matched_count == 1

    def release(self, tenant: str, key: str, *, claimed_at: datetime) -> None:
        claim = self._claim(tenant, key, claimed_at)
        with translated():
            self._answers.delete_one(claim)

    def prune(self, *, before: datetime, limit: int) -> int:
        old = {"claimed_at": {"$lt": instant_out(before)}}
        found = self._engine.database.find(
            kinds.ANSWERS, old, sort=[("claimed_at", 1)], limit=limit, fields=["_id"]
        )
        if not found:
            return 0
        # One that was released and claimed anew meanwhile is young.
        ids = {"_id": {"$in": [each["_id"] for each in found]}}
        with translated():
            return self._answers.delete_many({**ids, **old}).deleted_count

    @property
    def _answers(self) -> Documents:
        return self._engine.database.documents(kinds.ANSWERS)

    def _id(self, tenant: str, key: str) -> str:
        life = self._engine.glance(tenant).number(LIFE)
        return key_of(tenant, f"{life}/{key}")

    def _claim(self, tenant: str, key: str, claimed_at: datetime) -> Filter:
        """Match the claim of that instant, while it is not answered."""
        return {
            "_id": self._id(tenant, key),
            "tenant": tenant,
            "claimed_at": instant_out(claimed_at),
            "status": None,
        }
