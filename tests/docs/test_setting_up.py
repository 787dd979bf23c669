"""A database that was set up as the documentation says is one that Crony takes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from crony import errors
from crony.storage import open_store
from crony.testing.servers.mongodb import MongoDb
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.servers.process import program
from crony.testing.servers.redis import Redis
from tests.docs.follow import follow
from tests.docs.walkthrough import steps
from tests.folders import Folders

TEXT = (Path(__file__).parents[2] / "docs" / "howto" / "choose-a-store.md").read_text(
    encoding="utf-8"
)
PATH = {"PATH": os.environ["PATH"]}


def promises(url: str) -> Sequence[str]:
    """Return what a new store there can't promise."""
    store = open_store(url)
    store.migrate()
    store.open()
    try:
        return store.cannot_promise()
    finally:
        store.close()


def given_url(scheme: str, *, at: str, instead: tuple[str, str] = ("", "")) -> str:
    """Return the URL that the page gives for a store, at another place."""
    (url,) = re.findall(rf"^url = ({scheme}://.+)$", TEXT, flags=re.MULTILINE)
    return re.sub(r"[^@/]*example\.org(:\d+)?", at, url.replace(*instead))


def test_postgresql_that_was_set_up_so_promises_all(
    tmp_path: Path, in_memory: Folders
) -> None:
    with PostgreSQL(in_memory("server")) as server:
        environ = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": server.user,
            "PGPASSWORD": server.password,
            "PGDATABASE": "postgres",
        }
        # The cluster's administrator has the name already.
        follow(
            steps(TEXT, on="postgresql"),
            tmp_path,
            PATH | environ,
            instead={"crony": "page"},
        )
        at = f"127.0.0.1:{server.port}"
        assert not promises(given_url("postgresql", at=at, instead=("crony", "page")))


class Plain(Redis):
    """A server as a new installation has it."""

    def command(self) -> Sequence[str]:
        given = self.directory / "redis.conf"
        if not given.exists():
            given.write_text(
                f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
            )
        return (program("redis-server", package="redis-server"), str(given))


def test_redis_that_was_set_up_so_promises_all(tmp_path: Path) -> None:
    with Plain(tmp_path / "server") as server:
        with pytest.raises(errors.StoreUnusable, match="appendonly"):
            promises(server.url)
        follow(
            steps(TEXT, on="redis"),
            tmp_path,
            PATH,
            instead={"redis-cli": f"redis-cli -p {server.port}"},
        )
        assert not promises(server.url)
        url = given_url("redis", at=f"127.0.0.1:{server.port}")
        assert not promises(url)
        server.stop()
        server.start()
        assert not promises(url)


def test_mongodb_by_itself_promises_all(in_memory: Folders) -> None:
    with MongoDb(in_memory("server") / "data") as server:
        assert not promises(server.url)
