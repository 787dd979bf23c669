"""Idempotency keys with their answers, in Redis."""

from __future__ import annotations

from datetime import datetime

from crony.storage.codec import instant_out
from crony.storage.contract import Answer, Answers
from crony.storage.documents import document_in, document_out
from crony.storage.redis.engine import Arguments, Engine
from crony.storage.redis.sweeping import swept
from crony.storage.redis.values import packed, raw, unpacked


class RedisAnswers(Answers):
    """Answers as documents that no script looks into."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, tenant: str, key: str, answer: Answer) -> Answer | None:
        kept = self._engine.call("answer_claim", tenant, key=key, answer=_kept(answer))
        return None if kept is None else _answer(kept)

    def complete(
        self, tenant: str, key: str, answer: Answer, *, claimed_at: datetime
    ) -> bool:
        return bool(
            self._engine.call(
                "answer_complete",
                tenant,
                key=key,
                answer=_kept(answer),
                claimed_at=instant_out(claimed_at),
            )
        )

    def release(self, tenant: str, key: str, *, claimed_at: datetime) -> None:
        self._engine.call(
            "answer_release", tenant, key=key, claimed_at=instant_out(claimed_at)
        )

    def prune(self, *, before: datetime, limit: int) -> int:
        return swept(
            self._engine,
            "answer_prune",
            by="answers:claimed",
            before=before,
            limit=limit,
        )


def _kept(answer: Answer) -> Arguments:
    return {
        "document": packed(document_out(answer)),
        "claimed_at": instant_out(answer.claimed_at),
        "answered": answer.status is not None,
    }


def _answer(kept: str) -> Answer:
    document = unpacked(raw(kept))
    body = document["body"]
    document["body"] = None if body is None else raw(body)
    return document_in(Answer, document)
