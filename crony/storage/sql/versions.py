"""The schema's version: read without Alembic, which takes long to import.

``schema_floor`` says from which version on a release may work on it, so that nodes of
two releases can stand side by side.
"""

from __future__ import annotations

from crony import errors
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import tables, text

#: All versions up to this release's, oldest first.
KNOWN = ("0001", "0002", "0003", "0004", "0005")

_TABLE = text(f"SELECT count(*) FROM {tables()} WHERE name = 'alembic_version'")
_ANY = text(f"SELECT count(*) FROM {tables()}")
_VERSION = text("SELECT version_num FROM alembic_version")
_FLOOR = text("SELECT floor FROM schema_floor")


def current(connection: Connection) -> str | None:
    """Return the version of the schema; ``None`` for an empty database.

    Raises ``StoreUnusable`` for a newer one that this release may not work on, and for
    a database that is somebody else's.
    """
    if not connection.execute(_TABLE).scalar_one():
        if connection.execute(_ANY).scalar_one():
            raise errors.StoreUnusable("the store's database holds another's tables")
        return None
    version = connection.execute(_VERSION).scalar()
    if version is None:
        return None
    if version not in KNOWN:
        floor = str(connection.execute(_FLOOR).scalar() or version)
        if floor > KNOWN[-1]:
            raise errors.StoreUnusable(
                f"the store has schema {version} and this release {KNOWN[-1]}; it "
                f"needs a release of schema {floor} or newer"
            )
    return str(version)


def is_behind(version: str | None) -> bool:
    """Return whether a schema lacks what this release brings."""
    return version is None or version < KNOWN[-1]


def require(connection: Connection) -> None:
    """Raise ``StoreUnusable`` unless this release may work on the schema as it is."""
    version = current(connection)
    if is_behind(version):
        raise errors.StoreUnusable(
            f"the store has schema {version or 'none'}, and this release needs "
            f"{KNOWN[-1]}; starting the service brings it there"
        )
