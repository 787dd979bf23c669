"""Profiles, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.model.group import Profile, ProfileUse
from crony.storage import changes
from crony.storage.codec import instant_in, instant_out, settings_in, settings_out
from crony.storage.contract import Page, Position, Profiles
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import each, text
from crony.storage.sql.noun import Noun
from crony.storage.sql.paging import page_of
from crony.storage.sql.rows import Columns, ids

PROFILE_COLUMNS = (
    "tenant, name, revision, description, settings, created_at, updated_at"
)
_FIND = text(
    f"SELECT {PROFILE_COLUMNS} FROM profiles WHERE tenant = :tenant AND name = :name"
)
_PAGE = text(
    f"SELECT {PROFILE_COLUMNS} FROM profiles WHERE tenant = :tenant"
    " AND name > :after ORDER BY name LIMIT :limit"
)
_INSERT = text(
    f"INSERT INTO profiles ({PROFILE_COLUMNS}) VALUES (:tenant, :name, :revision,"
    " :description, :settings, :created_at, :updated_at)"
)
_REPLACE = text(
    "UPDATE profiles SET revision = :revision, description = :description,"
    " settings = :settings, created_at = :created_at, updated_at = :updated_at"
    " WHERE tenant = :tenant AND name = :name"
)
_DELETE = text("DELETE FROM profiles WHERE tenant = :tenant AND name = :name")
_BY_SCHEDULES = (
    "FROM schedules s WHERE s.tenant = :tenant AND s.profile = {name}"
    " AND s.state <> 'deleted'"
)
_BY_GROUPS = "FROM schedule_groups g WHERE g.tenant = :tenant AND g.profile = {name}"
_BY_TENANT = "FROM tenants t WHERE t.name = :tenant AND t.profile = {name}"
_USERS = tuple(
    text(f"SELECT {column} {users.format(name=':name')}")
    for column, users in (
        ("coalesce(s.name, s.id)", _BY_SCHEDULES),
        ("g.name", _BY_GROUPS),
        ("t.name", _BY_TENANT),
    )
)
_USES = text(
    "SELECT j.value, "
    + ", ".join(
        f"(SELECT count(*) {users.format(name='j.value')})"
        for users in (_BY_SCHEDULES, _BY_GROUPS, _BY_TENANT)
    )
    + f" FROM {each('names', 'j')}"
)


class SqlProfiles(Noun, Profiles):
    """Profiles in a table of their own."""

    def find(self, tenant: str, name: str) -> Profile | None:
        with self._database.reading() as connection:
            return _find(connection, tenant, name)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Profile]:
        asked = {"tenant": tenant, "limit": limit + 1}
        asked["after"] = "" if after is None else after[1]
        with self._database.reading() as connection:
            found = connection.execute(_PAGE, asked).all()
        return page_of(
            found,
            limit=limit,
            read=profile_in,
            place=lambda last: (last.name, last.name),
        )

    def put(self, profile: Profile, *, expected: int | None) -> bool:
        values = {
            "tenant": profile.tenant,
            "name": profile.name,
            "revision": profile.revision,
            "description": profile.description,
            "settings": settings_out(profile.settings),
            "created_at": instant_out(profile.created_at),
            "updated_at": instant_out(profile.updated_at),
        }
        with self._database.writing(profile.tenant) as connection:
            stored = _find(connection, profile.tenant, profile.name)
            if (stored.revision if stored else None) != expected:
                return False
            connection.execute(_INSERT if stored is None else _REPLACE, values)
            return True

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        named = {"tenant": tenant, "name": name}
        with self._database.writing(tenant) as connection:
            stored = _find(connection, tenant, name)
            if stored is None or stored.revision != expected:
                return False
            schedules, groups, tenants = (
                connection.execute(users, named).scalars() for users in _USERS
            )
            if schedules or groups or tenants:
                raise changes.profile_in_use(
                    name, schedules=schedules, groups=groups, tenants=tenants
                )
            connection.execute(_DELETE, named)
            return True

    def uses(self, tenant: str, names: Sequence[str]) -> Mapping[str, ProfileUse]:
        asked = {"tenant": tenant, "names": ids(names)}
        with self._database.reading() as connection:
            found = connection.execute(_USES, asked).all()
        return {row[0]: ProfileUse(*row[1:]) for row in found}


def _find(connection: Connection, tenant: str, name: str) -> Profile | None:
    row = connection.execute(_FIND, {"tenant": tenant, "name": name}).first()
    return None if row is None else profile_in(row)


def profile_in(row: Columns) -> Profile:
    """Return the profile of a row of ``PROFILE_COLUMNS``."""
    return Profile(
        tenant=row[0],
        name=row[1],
        revision=row[2],
        description=row[3],
        settings=settings_in(row[4]),
        created_at=instant_in(row[5]),
        updated_at=instant_in(row[6]),
    )
