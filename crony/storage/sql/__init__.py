"""The SQL driver: SQLite, in one file for the processes of a host, and PostgreSQL.

Its statements are kept in the module of their noun, once for both; ``dialect`` holds
what each says otherwise, ``sqlite`` and ``postgresql`` how it is connected to,
``migrations`` the schema.
"""

from __future__ import annotations

from crony.storage.sql.store import SqlStore

__all__ = ["SqlStore"]
