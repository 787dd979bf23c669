"""What a database does by itself: rows of a run's size, durable, by its bare client.

Each ``insert`` is one commit. What a store does is compared with this, measured on
the same server in the same minute.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

#: About as much as a run has to say.
_BODY = "x" * 300

Row = tuple[str, str]


def rows(first: int, count: int) -> list[Row]:
    """Return rows with ids from that number on."""
    return [(f"run_{number:026}", _BODY) for number in range(first, first + count)]


class Bare(ABC):
    """A connection, and a table with nothing but a primary key."""

    @abstractmethod
    def insert(self, rows: Sequence[Row]) -> None:
        """Store rows in one durable step."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect."""


class BareSqlite(Bare):
    """SQLite as the driver sets it up: WAL, every commit on the disk."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, body TEXT)")

    def insert(self, rows: Sequence[Row]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO bare VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class BarePostgresql(Bare):
    """psycopg; a batch is one transaction, and comes by ``COPY``."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, body TEXT)")

    def insert(self, rows: Sequence[Row]) -> None:
        if len(rows) == 1:
            self._connection.execute("INSERT INTO bare VALUES (%s, %s)", rows[0])
            return
        copying = "COPY bare FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(copying) as copy:
            for row in rows:
                copy.write_row(row)

    def close(self) -> None:
        self._connection.close()


class BareMongodb(Bare):
    """pymongo with ``w: majority`` and ``j: true``."""

    def __init__(self, url: str) -> None:
        import pymongo
        from pymongo.write_concern import WriteConcern

        self._client = pymongo.MongoClient[dict[str, object]](url)
        self._rows = self._client.get_default_database().get_collection(
            "bare", write_concern=WriteConcern(w="majority", j=True)
        )

    def insert(self, rows: Sequence[Row]) -> None:
        documents = [{"_id": id, "body": body} for id, body in rows]
        if len(documents) == 1:
            self._rows.insert_one(documents[0])
        else:
            self._rows.insert_many(documents, ordered=False)

    def close(self) -> None:
        self._client.close()


class BareRedis(Bare):
    """redis-py; the server has each command on its disk before it answers.

    A batch is a pipeline without a transaction.
    """

    def __init__(self, url: str) -> None:
        import redis

        self._client = redis.Redis.from_url(url)
        self._client.flushdb()

    def insert(self, rows: Sequence[Row]) -> None:
        if len(rows) == 1:
            self._client.set(f"bare:{rows[0][0]}", rows[0][1])
            return
        with self._client.pipeline(transaction=False) as pipeline:
            for id, body in rows:
                pipeline.set(f"bare:{id}", body)
            pipeline.execute()

    def close(self) -> None:
        self._client.close()
