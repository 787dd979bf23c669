"""The SQL driver: SQLite now, in one file, for any number of processes of a host.

Its statements are kept in the module of their noun; ``dialect`` holds what
another database would say otherwise, ``migrations`` the schema.
"""

from __future__ import annotations

from crony.storage.sql.store import SqlStore

__all__ = ["SqlStore"]
