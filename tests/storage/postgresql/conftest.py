"""Stores on PostgreSQL: on the server of all tests, and on one that may be killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing.servers.postgresql import PostgreSQL
from tests.folders import Folders
from tests.storage.stands import Stand


@pytest.fixture
def url(stands: Callable[[str], Stand]) -> str:
    """An empty store."""
    return stands("postgresql").fresh()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store, open."""
    store = open_store(url)
    store.open()
    yield store
    store.close()


@pytest.fixture(scope="package")
def server(in_memory: Folders) -> Iterator[PostgreSQL]:
    """A server that may be killed and frozen, and promises little."""
    directory = in_memory("other") / "server"
    with PostgreSQL(directory, fsync="off", full_page_writes="off") as server:
        yield server


@pytest.fixture
def other(server: PostgreSQL) -> Iterator[str]:
    """The URL of a new database of that server."""
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS other WITH (FORCE)")
        admin.execute("CREATE DATABASE other")
        yield server.url_of("other")


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return what a statement finds, as anybody else would ask."""
    with psycopg.connect(url, autocommit=True) as other:
        return other.execute(sql).fetchall()
