"""Which database a URL is of."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from crony import errors
from crony.storage.sql.engine import Database
from crony.storage.sql.sqlite import SqliteDatabase


def database_of(url: str, *, home: Path | None) -> Database:
    """Return the database of ``sqlite:///path`` or ``postgresql://host/name``."""
    if url.partition(":")[0] == "sqlite":
        parts = urlsplit(url)
        path = Path(unquote(parts.path.removeprefix("/")))
        if parts.netloc or parts.query or parts.fragment or path == Path():
            raise errors.InvalidSetting(
                "storage", "url", f'"{url}" does not name a file: sqlite:///crony.db'
            )
        return SqliteDatabase(path if home is None else home / path)
    try:
        # Whoever keeps to SQLite needs no driver of a server.
        from crony.storage.sql.postgresql import PostgresqlDatabase
    except ImportError as exc:
        raise errors.InvalidSetting(
            "storage",
            "url",
            "PostgreSQL needs its driver: from a clone of Crony, "
            "pip install '.[postgresql]'",
        ) from exc
    return PostgresqlDatabase(url)
