"""Groups, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.model.group import DEFAULT_GROUP, Group
from crony.model.lease import Ready
from crony.storage import changes
from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import Groups, Page, Position
from crony.storage.sql import lanes, places, references
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import each, text
from crony.storage.sql.noun import Noun
from crony.storage.sql.paging import page_of
from crony.storage.sql.rows import Columns, ids

GROUP_COLUMNS = (
    "tenant, name, revision, description, profile, max_concurrent, paused, since,"
    " misfire, carried, created_at, updated_at"
)
_FIND = text(
    f"SELECT {GROUP_COLUMNS} FROM schedule_groups"
    " WHERE tenant = :tenant AND name = :name"
)
_PAGE = text(
    f"SELECT {GROUP_COLUMNS} FROM schedule_groups WHERE tenant = :tenant"
    " AND name > :after ORDER BY name LIMIT :limit"
)
_INSERT = text(
    f"INSERT INTO schedule_groups ({GROUP_COLUMNS}) VALUES (:tenant, :name, :revision,"
    " :description, :profile, :max_concurrent, :paused, :since, :misfire, :carried,"
    " :created_at, :updated_at) ON CONFLICT (tenant, name) DO NOTHING"
)
_REPLACE = text(
    "UPDATE schedule_groups SET revision = :revision, description = :description,"
    " profile = :profile, max_concurrent = :max_concurrent, paused = :paused,"
    " since = :since, misfire = :misfire, carried = :carried,"
    " created_at = :created_at, updated_at = :updated_at"
    " WHERE tenant = :tenant AND name = :name"
)
_DELETE = text("DELETE FROM schedule_groups WHERE tenant = :tenant AND name = :name")
_SCHEDULES = text(
    "SELECT j.value, (SELECT count(*) FROM schedules s WHERE s.tenant = :tenant"
    " AND s.group_name = j.value AND s.state <> 'deleted')"
    f" FROM {each('names', 'j')}"
)
_UNCARRIED = text(
    f"SELECT {GROUP_COLUMNS} FROM schedule_groups WHERE carried = 0"
    " ORDER BY tenant, name LIMIT :limit"
)
_LAGS = text(
    "SELECT 1 FROM schedules s WHERE s.tenant = :tenant AND s.group_name = :name"
    " AND s.held = :other AND s.state <> 'deleted' LIMIT 1"
)
_CARRIED = text(
    "UPDATE schedule_groups SET carried = 1 WHERE tenant = :tenant AND name = :name"
)


class SqlGroups(Noun, Groups):
    """Groups in a table of their own."""

    def find(self, tenant: str, name: str) -> Group | None:
        with self._database.reading() as connection:
            return _find(connection, tenant, name)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Group]:
        asked = {"tenant": tenant, "limit": limit + 1}
        asked["after"] = "" if after is None else after[1]
        with self._database.reading() as connection:
            found = connection.execute(_PAGE, asked).all()
        return page_of(
            found, limit=limit, read=group_in, place=lambda last: (last.name, last.name)
        )

    def put(self, group: Group, *, expected: int | None) -> tuple[bool, Ready]:
        with self._database.writing(group.tenant) as connection:
            stored = _find(connection, group.tenant, group.name)
            if (stored.revision if stored else None) != expected:
                return False, frozenset()
            references.check_profile(connection, group.tenant, group.profile)
            tenant_open = places.is_open(connection, group.tenant)
            before = _place(connection, group)
            connection.execute(_INSERT if stored is None else _REPLACE, _values(group))
            if not tenant_open or before.open or not _place(connection, group).open:
                return True, frozenset()
            return True, places.opened(connection, group.tenant, group.name)

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        if name == DEFAULT_GROUP:
            raise changes.default_group_in_use()
        with self._database.writing(tenant) as connection:
            stored = _find(connection, tenant, name)
            if stored is None or stored.revision != expected:
                return False
            schedules = _schedules(connection, tenant, [name])[name]
            if schedules:
                raise changes.group_in_use(name, schedules=schedules)
            connection.execute(_DELETE, {"tenant": tenant, "name": name})
            lanes.forget(connection, tenant, name)
            return True

    def schedules(self, tenant: str, names: Sequence[str]) -> Mapping[str, int]:
        with self._database.reading() as connection:
            return _schedules(connection, tenant, names)

    def uncarried(self, *, limit: int) -> Sequence[Group]:
        with self._database.reading() as connection:
            found = connection.execute(_UNCARRIED, {"limit": limit}).all()
        return tuple(group_in(row) for row in found)

    def carried(self, group: Group) -> bool:
        with self._database.writing(group.tenant) as connection:
            stored = _find(connection, group.tenant, group.name)
            if stored is None or stored.revision != group.revision:
                return False
            named = {"tenant": group.tenant, "name": group.name}
            asked = {**named, "other": int(not stored.paused)}
            if connection.execute(_LAGS, asked).first() is not None:
                return False
            connection.execute(_CARRIED, named)
            return True


def add(connection: Connection, group: Group) -> None:
    """Store a group, where there is none of its name."""
    connection.execute(_INSERT, _values(group))


def _find(connection: Connection, tenant: str, name: str) -> Group | None:
    row = connection.execute(_FIND, {"tenant": tenant, "name": name}).first()
    return None if row is None else group_in(row)


def _place(connection: Connection, group: Group) -> places.Taken:
    """Return how far the stored limit of the group is taken up."""
    found = places.of_groups(connection, group.tenant, [group.name])
    return found.get(group.name, places.UNLIMITED)


def _schedules(
    connection: Connection, tenant: str, names: Sequence[str]
) -> dict[str, int]:
    asked = {"tenant": tenant, "names": ids(names)}
    return {row[0]: row[1] for row in connection.execute(_SCHEDULES, asked)}


def _values(group: Group) -> dict[str, str | int | None]:
    return {
        "tenant": group.tenant,
        "name": group.name,
        "revision": group.revision,
        "description": group.description,
        "profile": group.profile,
        "max_concurrent": group.max_concurrent,
        "paused": int(group.paused),
        "since": instant_out(group.since),
        "misfire": group.misfire,
        "carried": int(group.carried),
        "created_at": instant_out(group.created_at),
        "updated_at": instant_out(group.updated_at),
    }


def group_in(row: Columns) -> Group:
    """Return the group of a row of ``GROUP_COLUMNS``."""
    return Group(
        tenant=row[0],
        name=row[1],
        revision=row[2],
        description=row[3],
        profile=row[4],
        max_concurrent=row[5],
        paused=bool(row[6]),
        since=instant_in(row[7]),
        misfire=row[8],
        carried=bool(row[9]),
        created_at=instant_in(row[10]),
        updated_at=instant_in(row[11]),
    )
