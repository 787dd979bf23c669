"""Idempotency keys with their answers, in SQL."""

from __future__ import annotations

import json
from datetime import datetime

from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import Answer, Answers
from crony.storage.sql.connection import Parameters
from crony.storage.sql.dialect import text
from crony.storage.sql.noun import Noun
from crony.storage.sql.rows import Columns

_COLUMNS = "resource, digest, claimed_at, status, headers, body"
_FIND = text(f"SELECT {_COLUMNS} FROM answers WHERE tenant = :tenant AND key = :key")
_CLAIM = text(
    f"INSERT INTO answers (tenant, key, {_COLUMNS}) VALUES (:tenant, :key, :resource,"
    " :digest, :claimed_at, :status, :headers, :body)"
    " ON CONFLICT (tenant, key) DO NOTHING"
)
_OF_CLAIM = (
    " WHERE tenant = :tenant AND key = :key AND claimed_at = :claim"
    " AND status IS NULL RETURNING 1"
)
_COMPLETE = text(
    "UPDATE answers SET resource = :resource, digest = :digest,"
    " claimed_at = :claimed_at, status = :status, headers = :headers, body = :body"
    + _OF_CLAIM
)
_RELEASE = text("DELETE FROM answers" + _OF_CLAIM)
_PRUNE = text(
    "DELETE FROM answers WHERE (tenant, key) IN (SELECT tenant, key FROM answers"
    " WHERE claimed_at < :before ORDER BY claimed_at LIMIT :limit) RETURNING 1"
)


class SqlAnswers(Noun, Answers):
    """Answers in a table of their own."""

    def claim(self, tenant: str, key: str, answer: Answer) -> Answer | None:
        with self._database.writing(tenant) as connection:
            asked = {"tenant": tenant, "key": key}
            row = connection.execute(_FIND, asked).first()
            if row is not None:
                return _answer(row)
            connection.execute(_CLAIM, _values(tenant, key, answer))
            return None

    def complete(
        self, tenant: str, key: str, answer: Answer, *, claimed_at: datetime
    ) -> bool:
        asked = {**_values(tenant, key, answer), "claim": instant_out(claimed_at)}
        with self._database.writing() as connection:
            return connection.execute(_COMPLETE, asked).first() is not None

    def release(self, tenant: str, key: str, *, claimed_at: datetime) -> None:
        asked = {"tenant": tenant, "key": key, "claim": instant_out(claimed_at)}
        with self._database.writing() as connection:
            connection.execute(_RELEASE, asked).all()

    def prune(self, *, before: datetime, limit: int) -> int:
        asked = {"before": instant_out(before), "limit": limit}
        with self._database.writing() as connection:
            return len(connection.execute(_PRUNE, asked).all())


def _values(tenant: str, key: str, answer: Answer) -> Parameters:
    return {
        "tenant": tenant,
        "key": key,
        "resource": answer.resource,
        "digest": answer.digest,
        "claimed_at": instant_out(answer.claimed_at),
        "status": answer.status,
        "headers": json.dumps(dict(answer.headers)),
        "body": answer.body,
    }


def _answer(row: Columns) -> Answer:
    return Answer(
        resource=row[0],
        digest=row[1],
        claimed_at=instant_in(row[2]),
        status=row[3],
        headers=json.loads(row[4]),
        body=row[5],
    )
