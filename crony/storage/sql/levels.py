"""What has a say in how the schedules of a tenant run, in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from crony.model.worker import Quotas, Tenant
from crony.remembering import remembering
from crony.storage.codec import instant_in, retention_in
from crony.storage.contract import Levels
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import among, text
from crony.storage.sql.groups import GROUP_COLUMNS, group_in
from crony.storage.sql.profiles import PROFILE_COLUMNS, profile_in
from crony.storage.sql.rows import Columns, ids

TENANT_COLUMNS = (
    "name, revision, quotas, profile, max_concurrent, held, retention, created_at,"
    " updated_at"
)


def _of(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{name}" for name in columns.split(", "))


_LEVELS = text(
    f"SELECT {_of('t', TENANT_COLUMNS)}, {_of('g', GROUP_COLUMNS)} FROM tenants t"
    " LEFT JOIN schedule_groups g ON g.tenant = t.name"
    f" AND g.name IN {among('groups')} WHERE t.name = :tenant"
)
_PROFILES = text(
    f"SELECT {PROFILE_COLUMNS} FROM profiles WHERE tenant = :tenant"
    f" AND name IN {among('names')}"
)

#: Where in a row of ``_LEVELS`` the group begins.
_GROUP = TENANT_COLUMNS.count(",") + 1


def tenant_in(row: Columns) -> Tenant:
    """Return the tenant of a row of ``TENANT_COLUMNS``."""
    return Tenant(
        name=row[0],
        revision=row[1],
        quotas=Quotas(**json.loads(row[2])),
        profile=row[3],
        max_concurrent=row[4],
        held=bool(row[5]),
        retention=retention_in(row[6]),
        created_at=instant_in(row[7]),
        updated_at=instant_in(row[8]),
    )


def _length(row: Columns) -> int:
    return sum(len(column) for column in row if isinstance(column, str))


# PERF: for each request these are the same few rows, and what is read out of a row
# can't change.
_tenant = remembering(tenant_in, length=_length)
_group = remembering(group_in, length=_length)
_profile = remembering(profile_in, length=_length)


def levels(
    connection: Connection,
    tenant: str,
    *,
    groups: Collection[str],
    profiles: Collection[str],
) -> Levels:
    """Return what ``Tenants.levels`` does."""
    asked = {"tenant": tenant, "groups": ids(groups)}
    found = connection.execute(_LEVELS, asked).all()
    if not found:
        return Levels(tenant=None, groups={}, profiles={})
    owner = _tenant(found[0][:_GROUP])
    there = [_group(row[_GROUP:]) for row in found if row[_GROUP] is not None]
    names = {owner.profile, *(each.profile for each in there), *profiles}
    rows = _profiles(connection, tenant, [name for name in names if name])
    return Levels(
        tenant=owner,
        groups={each.name: each for each in there},
        profiles={each.name: each for each in map(_profile, rows)},
    )


def _profiles(
    connection: Connection, tenant: str, names: Collection[str]
) -> list[tuple[Any, ...]]:
    if not names:
        return []
    return connection.execute(_PROFILES, {"tenant": tenant, "names": ids(names)}).all()
