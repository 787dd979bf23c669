"""The schema's version: read without Alembic, which takes long to import."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony import errors

#: All versions up to this release's, oldest first.
KNOWN = ("0001", "0002", "0003", "0004")

_TABLE = text("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'")
_ANY = text("SELECT count(*) FROM sqlite_master")
_VERSION = text("SELECT version_num FROM alembic_version")


def current(connection: Connection) -> str | None:
    """Return the version of the schema; ``None`` for an empty database.

    Raises ``StoreUnusable`` for a version this release does not know, and for a
    database that is somebody else's.
    """
    if not connection.execute(_TABLE).scalar_one():
        if connection.execute(_ANY).scalar_one():
            raise errors.StoreUnusable("the store's file holds another's tables")
        return None
    version = connection.execute(_VERSION).scalar()
    if version is not None and version not in KNOWN:
        raise errors.StoreUnusable(
            f"the store has schema {version}, and this release knows up to "
            f"{KNOWN[-1]}; use the release that wrote it, or a newer one"
        )
    return None if version is None else str(version)


def require(connection: Connection) -> None:
    """Raise ``StoreUnusable`` unless the schema is this release's."""
    version = current(connection)
    if version != KNOWN[-1]:
        raise errors.StoreUnusable(
            f"the store has schema {version or 'none'}, and this release needs "
            f"{KNOWN[-1]}; starting the service brings it there"
        )
