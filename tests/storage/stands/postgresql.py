"""PostgreSQL: one server, whose tables are emptied for each store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from crony.storage import open_store
from crony.testing.servers.postgresql import PostgreSQL
from tests.storage.stands.stand import Stand

Connection = psycopg.Connection[Any]


class PostgresqlStand(Stand):
    """A private server with one migrated database.

    To delete what its tables hold takes some milliseconds; to truncate them, or to make
    another database, a hundred. So does what a new connection reads before its first
    answer: there is one for all tests.
    """

    name = "postgresql"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._connection: Connection | None = None

    def fresh(self) -> str:
        if self.server is None:
            self.server = PostgreSQL(self.directory / "server").start()
            open_store(self.server.url).migrate()
        if self._connection is None:
            self._connection = psycopg.connect(self.server.url, autocommit=True)
            for statement in _KEEP:
                self._connection.execute(statement)
        self._connection.execute("SELECT kept.back()")
        return self.server.url

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        super().close()


#: A schema that remembers what a new store holds, and leaves the store as it was when
#: it was new. What a test has left behind must not hold anything.
_KEEP = (
    "CREATE SCHEMA kept",
    """
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', name, name);
        END LOOP;
    END $$
    """,
    """
    CREATE FUNCTION kept.back() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE name text; full_ boolean;
    BEGIN
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid();
        FOR name IN SELECT tablename FROM pg_tables
            WHERE schemaname = 'kept' AND tablename <> 'alembic_version'
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO full_;
            IF full_ THEN
                EXECUTE format('DELETE FROM public.%I', name);
            END IF;
            EXECUTE format('SELECT EXISTS (SELECT FROM kept.%I)', name) INTO full_;
            IF full_ THEN
                EXECUTE format('INSERT INTO public.%I TABLE kept.%I', name, name);
            END IF;
        END LOOP;
        ALTER SEQUENCE events_sequence_seq RESTART;
    END $$
    """,
)
