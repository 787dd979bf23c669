"""Tenants, in SQL."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony import errors
from crony.model.lease import Ready
from crony.model.worker import Quotas, Tenant, Usage
from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import Tenants
from crony.storage.sql.engine import Database

_FIND = text(
    "SELECT name, revision, quotas, created_at, updated_at FROM tenants"
    " WHERE name = :tenant"
)
_INSERT = text(
    "INSERT INTO tenants (name, revision, quotas, created_at, updated_at)"
    " VALUES (:name, :revision, :quotas, :created_at, :updated_at)"
    " ON CONFLICT (name) DO NOTHING RETURNING 1"
)
_REPLACE = text(
    "UPDATE tenants SET revision = :revision, quotas = :quotas,"
    " created_at = :created_at, updated_at = :updated_at"
    " WHERE name = :name AND revision = :expected RETURNING 1"
)
_DELETE = text("DELETE FROM tenants WHERE name = :tenant")
_USAGE = text(
    "SELECT (SELECT coalesce(sum(count), 0) FROM tallies WHERE tenant = :tenant"
    " AND queue = '' AND state IN ('active','paused','finished')),"
    " (SELECT count(*) FROM workers WHERE tenant = :tenant),"
    " (SELECT coalesce(sum(count), 0) FROM tallies WHERE tenant = :tenant"
    " AND queue <> '' AND state = 'pending')"
)
_LIVE = text(
    "SELECT coalesce(sum(count), 0) FROM tallies WHERE tenant = :tenant AND queue <> ''"
)
#: What belongs to runs carries no more than the run, and goes first.
_PIECES = text(
    "DELETE FROM pieces WHERE run IN (SELECT run FROM outputs WHERE tenant = :tenant)"
)
_OWNED = tuple(
    text(f"DELETE FROM {table} WHERE tenant = :tenant")
    for table in (
        "outputs",
        "attempts",
        "lapsed",
        "runs",
        "progress",
        "keys",
        "answers",
        "tallies",
    )
)


class SqlTenants(Tenants):
    """Tenants in a table of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, tenant: str) -> Tenant | None:
        with self._database.reading() as connection:
            row = connection.execute(_FIND, {"tenant": tenant}).first()
        if row is None:
            return None
        return Tenant(
            name=row.name,
            revision=row.revision,
            quotas=Quotas(**json.loads(row.quotas)),
            created_at=instant_in(row.created_at),
            updated_at=instant_in(row.updated_at),
        )

    def put(self, tenant: Tenant, *, expected: int | None) -> tuple[bool, Ready]:
        with self._database.writing() as connection:
            return _put(connection, tenant, expected=expected), frozenset()

    def delete(self, tenant: str, *, expected: int) -> bool:
        if tenant == "default":
            raise errors.InUse("the tenant default always exists")
        asked = {"tenant": tenant}
        with self._database.writing() as connection:
            stored = connection.execute(_FIND, asked).first()
            if stored is None or stored.revision != expected:
                return False
            usage = _usage(connection, tenant)
            live = connection.execute(_LIVE, asked).scalar_one()
            if usage.schedules or usage.workers or live:
                raise errors.InUse(
                    f"the tenant {tenant} has {usage.schedules} schedules, "
                    f"{usage.workers} workers and {live} runs that are not over"
                )
            for statement in (_PIECES, *_OWNED, _DELETE):
                connection.execute(statement, asked)
            return True

    def usage(self, tenant: str) -> Usage:
        with self._database.reading() as connection:
            return _usage(connection, tenant)


def ensure_default(connection: Connection, *, now: datetime) -> None:
    """Make the tenant ``default`` where there is none."""
    default = Tenant(
        name="default", revision=1, quotas=Quotas(), created_at=now, updated_at=now
    )
    _put(connection, default, expected=None)


def _put(connection: Connection, tenant: Tenant, *, expected: int | None) -> bool:
    values = {
        "name": tenant.name,
        "revision": tenant.revision,
        "quotas": json.dumps(asdict(tenant.quotas)),
        "created_at": instant_out(tenant.created_at),
        "updated_at": instant_out(tenant.updated_at),
    }
    if expected is None:
        return connection.execute(_INSERT, values).scalar() is not None
    return (
        connection.execute(_REPLACE, {**values, "expected": expected}).scalar()
        is not None
    )


def _usage(connection: Connection, tenant: str) -> Usage:
    schedules, workers, pending = connection.execute(_USAGE, {"tenant": tenant}).one()
    return Usage(schedules=schedules, workers=workers, pending_runs=pending)
