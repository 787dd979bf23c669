"""Tenants, in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from crony import errors
from crony.model.lease import Ready
from crony.model.worker import Quotas, Tenant, Usage
from crony.storage import changes
from crony.storage.codec import instant_out, retention_out
from crony.storage.contract import Levels, Page, Position, Tenants
from crony.storage.sql import groups, levels, places, references
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text, total
from crony.storage.sql.levels import TENANT_COLUMNS, tenant_in
from crony.storage.sql.noun import Noun
from crony.storage.sql.paging import page_of

_FIND = text(f"SELECT {TENANT_COLUMNS} FROM tenants WHERE name = :tenant")
_PAGE = text(
    f"SELECT {TENANT_COLUMNS} FROM tenants WHERE name > :name"
    " ORDER BY name LIMIT :limit"
)
_INSERT = text(
    f"INSERT INTO tenants ({TENANT_COLUMNS})"
    " VALUES (:name, :revision, :quotas, :profile, :max_concurrent, :held,"
    " :retention, :created_at, :updated_at)"
    " ON CONFLICT (name) DO NOTHING"
)
_REPLACE = text(
    "UPDATE tenants SET revision = :revision, quotas = :quotas, profile = :profile,"
    " max_concurrent = :max_concurrent, held = :held, retention = :retention,"
    " created_at = :created_at, updated_at = :updated_at"
    " WHERE name = :name"
)
_HOLD = text(
    "UPDATE schedules SET tenant_held = :held"
    " WHERE id > '' AND tenant = :tenant AND tenant_held <> :held"
)
_DELETE = text("DELETE FROM tenants WHERE name = :tenant")
_USAGE = text(
    f"SELECT (SELECT {total('count')} FROM tallies WHERE tenant = :tenant"
    " AND queue = '' AND state IN ('active','paused','finished')),"
    " (SELECT count(*) FROM workers WHERE tenant = :tenant),"
    f" (SELECT {total('count')} FROM tallies WHERE tenant = :tenant"
    " AND queue <> '' AND state = 'pending')"
)
_LIVE = text(
    f"SELECT {total('count')} FROM tallies WHERE tenant = :tenant AND queue <> ''"
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
        "follow_ups",
        "events",
        "events_pruned",
        "deliveries",
        "webhooks",
        "versions",
        "definitions",
        "pruned",
        "profiles",
        "schedule_groups",
    )
)


class SqlTenants(Noun, Tenants):
    """Tenants in a table of their own."""

    def find(self, tenant: str) -> Tenant | None:
        with self._database.reading() as connection:
            return _find(connection, tenant)

    def page(self, *, limit: int, after: Position | None) -> Page[Tenant]:
        asked = {"name": "" if after is None else after[1], "limit": limit + 1}
        with self._database.reading() as connection:
            found = connection.execute(_PAGE, asked).all()
        return page_of(
            found,
            limit=limit,
            read=tenant_in,
            place=lambda last: (last.name, last.name),
        )

    def put(self, tenant: Tenant, *, expected: int | None) -> tuple[bool, Ready]:
        with self._database.writing(tenant.name) as connection:
            stored = _find(connection, tenant.name)
            if (stored.revision if stored else None) != expected:
                return False, frozenset()
            references.check_profile(connection, tenant.name, tenant.profile)
            was_open = places.is_open(connection, tenant.name)
            was_held = stored is not None and stored.held
            _put(connection, tenant, new=stored is None)
            if stored is None or was_held != tenant.held:
                # Also of the schedules of an earlier tenant: nobody asks for those.
                asked = {"tenant": tenant.name, "held": int(tenant.held)}
                connection.execute(_HOLD, asked)
            if was_held and not tenant.held:
                return True, places.released(connection, tenant.name)
            if was_open or not places.is_open(connection, tenant.name):
                return True, frozenset()
            return True, places.opened(connection, tenant.name)

    def delete(self, tenant: str, *, expected: int) -> bool:
        if tenant == "default":
            raise errors.InUse("the tenant default always exists")
        asked = {"tenant": tenant}
        with self._database.clearing(tenant) as connection:
            stored = _find(connection, tenant)
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

    def levels(
        self, tenant: str, *, groups: Collection[str], profiles: Collection[str]
    ) -> Levels:
        with self._database.reading() as connection:
            return levels.levels(connection, tenant, groups=groups, profiles=profiles)

    def usage(self, tenant: str) -> Usage:
        with self._database.reading() as connection:
            return _usage(connection, tenant)


def ensure_default(connection: Connection, *, now: datetime) -> None:
    """Make the tenant ``default`` where there is none."""
    if connection.execute(_FIND, {"tenant": "default"}).first() is None:
        default = Tenant(
            name="default", revision=1, quotas=Quotas(), created_at=now, updated_at=now
        )
        _put(connection, default, new=True)


def _put(connection: Connection, tenant: Tenant, *, new: bool) -> None:
    values = {
        "name": tenant.name,
        "revision": tenant.revision,
        "quotas": json.dumps(asdict(tenant.quotas)),
        "profile": tenant.profile,
        "max_concurrent": tenant.max_concurrent,
        "held": int(tenant.held),
        "retention": retention_out(tenant.retention),
        "created_at": instant_out(tenant.created_at),
        "updated_at": instant_out(tenant.updated_at),
    }
    connection.execute(_INSERT if new else _REPLACE, values)
    groups.add(connection, changes.default_group(tenant))


def _find(connection: Connection, name: str) -> Tenant | None:
    row = connection.execute(_FIND, {"tenant": name}).first()
    return None if row is None else tenant_in(row)


def _usage(connection: Connection, tenant: str) -> Usage:
    schedules, workers, pending = connection.execute(_USAGE, {"tenant": tenant}).one()
    return Usage(schedules=schedules, workers=workers, pending_runs=pending)
