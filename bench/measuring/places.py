"""Where stores are measured: each place is a server of its own, or a directory.

A place makes any number of empty stores side by side, so that what is compared can be
measured in turns.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit, urlunsplit

from bench.measuring.bare import (
    Bare,
    BareMongodb,
    BarePostgresql,
    BareRedis,
    BareSqlite,
)

if TYPE_CHECKING:
    from crony.testing.servers.mongodb import MongoDb, MongoDbSet


class Place(ABC):
    """One way to set a store up, with a number for each store in it."""

    #: How it is asked for, and what it is called.
    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._made = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the server up meanwhile."""
        self.directory.mkdir(parents=True)
        yield

    def new(self) -> str:
        """Return the URL of a store that is not there yet."""
        self._made += 1
        return self.url(self._made)

    @abstractmethod
    def url(self, number: int) -> str:
        """Return the URL of that store, and make what the driver expects there."""

    @abstractmethod
    def forget(self, url: str) -> None:
        """Remove a store that is closed."""

    @abstractmethod
    def bare(self) -> Bare:
        """Return the database's own client, with an empty table."""

    @abstractmethod
    def version(self) -> str:
        """Return what release of the database this is."""


class Sqlite(Place):
    """A directory of files."""

    name = "sqlite"
    title = "SQLite"

    def url(self, number: int) -> str:
        return f"sqlite:///{self.directory / f'crony-{number}.db'}"

    def forget(self, url: str) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(url.removeprefix("sqlite:///") + suffix).unlink(missing_ok=True)

    def bare(self) -> Bare:
        self._made += 1
        return BareSqlite(self.directory / f"bare-{self._made}.db")

    def version(self) -> str:
        return sqlite3.sqlite_version


class Postgresql(Place):
    """A cluster, and a database of it for each store."""

    name = "postgresql"
    title = "PostgreSQL"

    @contextmanager
    def running(self) -> Iterator[None]:
        from crony.testing.servers.postgresql import PostgreSQL

        with PostgreSQL(self.directory) as self._server:
            yield

    def _say(self, statement: str) -> str:
        import psycopg

        with psycopg.connect(self._server.url, autocommit=True) as connection:
            found = connection.execute(statement)
            return str(found.fetchone()[0]) if found.description else ""

    def url(self, number: int) -> str:
        self._say(f"CREATE DATABASE crony_{number}")
        return self._server.url_of(f"crony_{number}")

    def forget(self, url: str) -> None:
        self._say(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def bare(self) -> Bare:
        return BarePostgresql(self.new())

    def version(self) -> str:
        return self._say("SHOW server_version").split()[0]


class Mongodb(Place):
    """One server by itself, and a database of it for each store."""

    name = "mongodb"
    title = "MongoDB"

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._start() as self._server:
            yield

    def _start(self) -> MongoDb | MongoDbSet:
        from crony.testing.servers.mongodb import MongoDb

        return MongoDb(self.directory)

    def url(self, number: int) -> str:
        return self._of(f"crony_{number}")

    def _of(self, database: str) -> str:
        return urlunsplit(urlsplit(self._server.url)._replace(path=f"/{database}"))

    def forget(self, url: str) -> None:
        import pymongo

        with pymongo.MongoClient[dict[str, object]](url) as client:
            client.drop_database(client.get_default_database().name)

    def bare(self) -> Bare:
        self._made += 1
        return BareMongodb(self._of(f"bare_{self._made}"))

    def version(self) -> str:
        import pymongo

        with pymongo.MongoClient[dict[str, object]](self._server.url) as client:
            return str(client.server_info()["version"])


class MongodbSet(Mongodb):
    """A replica set of one member: what it costs, without another disk's time."""

    name = "mongodb-replica-set"
    title = "MongoDB, replica set"

    def _start(self) -> MongoDbSet:
        from crony.testing.servers.mongodb import MongoDbSet

        return MongoDbSet(self.directory, members=1)


class Redis(Place):
    """A server, and a numbered database of it for each store."""

    name = "redis"
    title = "Redis"

    @contextmanager
    def running(self) -> Iterator[None]:
        from crony.testing.servers.redis import Redis as Server

        self._free = list(range(15, -1, -1))
        with Server(self.directory) as self._server:
            yield

    def url(self, number: int) -> str:
        return self._of(self._free.pop())

    def _of(self, database: int) -> str:
        return urlunsplit(urlsplit(self._server.url)._replace(path=f"/{database}"))

    def forget(self, url: str) -> None:
        import redis

        with redis.Redis.from_url(url, socket_timeout=300) as client:
            # A million of them take longer than a connection waits for.
            client.flushdb(asynchronous=True)
        self._free.append(int(url.rpartition("/")[2]))

    def bare(self) -> Bare:
        return BareRedis(self._of(self._free[0]))

    def version(self) -> str:
        import redis

        with redis.Redis.from_url(self._server.url) as client:
            return str(client.info("server")["redis_version"])


#: Those that are measured, in this order.
PLACES: dict[str, type[Place]] = {
    place.name: place for place in (Sqlite, Postgresql, Mongodb, MongodbSet, Redis)
}
