"""PostgreSQL: connections, locks, news and errors of a server."""

from __future__ import annotations

from crony.storage.sql.postgresql.database import PostgresqlDatabase

__all__ = ["PostgresqlDatabase"]
