"""Keys, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crony.model.worker import Key, Role
from crony.storage.codec import (
    instant_in,
    instant_out,
    maybe_instant_in,
    maybe_instant_out,
)
from crony.storage.contract import Keys, Page, Position
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text
from crony.storage.sql.noun import Noun
from crony.storage.sql.paging import page_of
from crony.storage.sql.rows import Columns

_COLUMNS = (
    "id, tenant, role, worker, description, prefix, digest, created_at, expires_at,"
    " used_at"
)
_INSERT = text(
    f"INSERT INTO keys ({_COLUMNS}) VALUES (:id, :tenant, :role, :worker,"
    " :description, :prefix, :digest, :created_at, :expires_at, :used_at)"
    " ON CONFLICT (id) DO NOTHING RETURNING 1"
)
_BY_DIGEST = text(f"SELECT {_COLUMNS} FROM keys WHERE digest = :digest")
_FIND = text(f"SELECT {_COLUMNS} FROM keys WHERE id = :key AND tenant = :tenant")
_PAGE = text(
    f"SELECT {_COLUMNS} FROM keys WHERE tenant = :tenant AND role <> 'worker'"
    " AND (created_at, id) > (:at, :id)"
    " ORDER BY created_at, id LIMIT :limit"
)
_TOUCH = text(
    "UPDATE keys SET used_at = :used_at"
    " WHERE id = :key AND tenant = :tenant AND (used_at IS NULL OR used_at < :used_at)"
)
_DELETE = text("DELETE FROM keys WHERE id = :key AND tenant = :tenant RETURNING 1")
_DELETE_BY_ID = text("DELETE FROM keys WHERE id = :key")
_FORGET = text("DELETE FROM keys WHERE worker = :worker")


class SqlKeys(Noun, Keys):
    """Keys in a table of their own."""

    def insert(self, key: Key) -> bool:
        with self._database.writing() as connection:
            return _insert(connection, key, worker=key.worker)

    def by_digest(self, digest: str) -> Key | None:
        with self._database.reading() as connection:
            row = connection.execute(_BY_DIGEST, {"digest": digest}).first()
        return None if row is None else _key(row)

    def find(self, tenant: str, key: str) -> Key | None:
        with self._database.reading() as connection:
            row = connection.execute(_FIND, {"key": key, "tenant": tenant}).first()
        return None if row is None else _key(row)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Key]:
        at, identity = after or (0, "")
        with self._database.reading() as connection:
            found = connection.execute(
                _PAGE, {"tenant": tenant, "at": at, "id": identity, "limit": limit + 1}
            ).all()
        return page_of(
            found,
            limit=limit,
            read=_key,
            place=lambda last: (instant_out(last.created_at), last.id),
        )

    def touch(self, tenant: str, used: Mapping[str, datetime]) -> None:
        # In one order, so that no two of these wait for each other.
        asked = [
            {"tenant": tenant, "key": key, "used_at": instant_out(used_at)}
            for key, used_at in sorted(used.items())
        ]
        with self._database.writing() as connection:
            connection.execute_each(_TOUCH, asked)

    def delete(self, tenant: str, key: str) -> bool:
        with self._database.writing() as connection:
            asked = {"key": key, "tenant": tenant}
            return connection.execute(_DELETE, asked).scalar() is not None


def put(connection: Connection, key: Key, *, worker: str) -> None:
    """Store a worker's key, in place of one of the same id."""
    connection.execute(_DELETE_BY_ID, {"key": key.id})
    _insert(connection, key, worker=worker)


def forget_of_worker(connection: Connection, worker: str) -> None:
    """Make a worker's keys stop working."""
    connection.execute(_FORGET, {"worker": worker})


def _insert(connection: Connection, key: Key, *, worker: str | None) -> bool:
    values = {
        "id": key.id,
        "tenant": key.tenant,
        "role": Role(key.role).value,
        "worker": worker,
        "description": key.description,
        "prefix": key.prefix,
        "digest": key.digest,
        "created_at": instant_out(key.created_at),
        "expires_at": maybe_instant_out(key.expires_at),
        "used_at": maybe_instant_out(key.used_at),
    }
    return connection.execute(_INSERT, values).scalar() is not None


def _key(row: Columns) -> Key:
    return Key(
        id=row[0],
        tenant=row[1],
        role=Role(row[2]),
        worker=row[3],
        description=row[4],
        prefix=row[5],
        digest=row[6],
        created_at=instant_in(row[7]),
        expires_at=maybe_instant_in(row[8]),
        used_at=maybe_instant_in(row[9]),
    )
