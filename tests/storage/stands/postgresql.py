"""PostgreSQL: one server, whose tables are emptied for each store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from crony.storage import open_store
from crony.testing.servers.postgresql import PostgreSQL
from tests.storage.stands.stand import Stand

Connection = psycopg.Connection[Any]


class PostgresqlStand(Stand):
    """A private server with one migrated database.

    To delete what its tables hold takes some milliseconds; to truncate them, or to make
    another database, a hundred.
    """

    name = "postgresql"

    def fresh(self) -> str:
        if self.server is None:
            self.server = PostgreSQL(self.directory / "server").start()
            open_store(self.server.url).migrate()
            _run(self.server.url, _keep)
        else:
            _run(self.server.url, _empty)
        return self.server.url


def _run(url: str, step: Callable[[Connection], None]) -> None:
    with psycopg.connect(url) as connection:
        step(connection)


def _keep(connection: Connection) -> None:
    """Remember what a new store holds."""
    connection.execute("CREATE SCHEMA kept")
    for name in _full(connection):
        connection.execute(f"CREATE TABLE kept.{name} AS TABLE {name}")


def _empty(connection: Connection) -> None:
    """Leave the store as it was when it was new."""
    # What a test has left behind must not hold anything.
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for name in _full(connection):
        connection.execute(f"DELETE FROM {name}")
    for name in _tables(connection, "kept"):
        connection.execute(f"INSERT INTO {name} TABLE kept.{name}")
    connection.execute("ALTER SEQUENCE events_sequence_seq RESTART")


def _full(connection: Connection) -> list[str]:
    """Return the tables that hold something: few, and quickly emptied."""
    looks = [
        f"(SELECT '{name}' FROM {name} LIMIT 1)"
        for name in _tables(connection, "public")
    ]
    found = connection.execute(" UNION ALL ".join(looks))
    return [name for (name,) in found if name != "alembic_version"]


def _tables(connection: Connection, schema: str) -> list[str]:
    asked = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
    return [name for (name,) in connection.execute(asked, [schema])]
