"""What only Redis does: how a server must be set up, and what its errors mean."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import redis as library

from crony import errors
from crony.storage import open_store
from crony.storage.contract import Store
from crony.storage.redis import engine, keys, layout, setup
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.servers.redis import Redis
from tests.storage.test_redis_url import SECRET


class OtherRedis(Redis):
    """A server that is set up in another way."""

    def __init__(self, directory: Path, **settings: str) -> None:
        super().__init__(directory)
        self.settings = settings

    def command(self) -> Sequence[str]:
        given = [
            f
            for name, value in self.settings.items()
            for f in ("--" + name.replace("_", "-"), value)
        ]
        return (*super().command(), *given)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server as it should be."""
    with Redis(tmp_path_factory.mktemp("redis") / "one") as running:
        yield running


@pytest.fixture
def client(server: Redis) -> Iterator[library.Redis]:
    """The library's own client of that server; all is as before when a test ends."""
    with library.Redis.from_url(server.url) as client:
        client.flushall()
        yield client
        usual = {"maxmemory": "0", "maxmemory-policy": "noeviction"}
        usual["no-appendfsync-on-rewrite"] = "no"
        for name, value in usual.items():
            client.config_set(name, value)


@pytest.fixture
def store(server: Redis, client: library.Redis) -> Iterator[Store]:
    """An empty store on it, migrated and open."""
    store = open_store(server.url)
    store.migrate()
    store.open()
    yield store
    store.close()


def test_a_secret_that_was_refused_leaves_nothing(
    store: Store, client: library.Redis
) -> None:
    store.workers.register(
        factories.make_worker(name="a"), factories.make_key(), quota=None
    )
    key = factories.make_key()
    assert store.keys.insert(key)
    pointers = client.hgetall(keys._POINTERS)
    with pytest.raises(errors.NameTaken):
        store.workers.register(
            factories.make_worker(name="a", machine="other"),
            factories.make_key(),
            quota=None,
        )
    with pytest.raises(errors.QuotaExceeded):
        store.workers.register(factories.make_worker(), factories.make_key(), quota=1)
    assert not store.keys.insert(factories.make_key(id=key.id, digest="0" * 64))
    assert client.hgetall(keys._POINTERS) == pointers
    assert store.keys.by_digest(key.digest) == key


class TestSetUp:
    def test_one_as_it_should_be_promises_all(self, store: Store) -> None:
        assert store.cannot_promise() == ()
        assert store.capabilities.keeps_tokens
        assert store.capabilities.durable

    def test_one_without_an_append_only_file_is_refused(self, tmp_path: Path) -> None:
        with OtherRedis(tmp_path / "redis", appendonly="no") as server:
            store = open_store(server.url)
            for step in (store.migrate, store.open):
                with pytest.raises(errors.StoreUnusable, match="appendonly yes"):
                    step()
            with library.Redis.from_url(server.url) as client:
                assert client.dbsize() == 0

    def test_one_that_forgets_keys_when_it_is_full_is_refused(
        self, server: Redis, store: Store, client: library.Redis
    ) -> None:
        client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(errors.StoreUnusable, match="noeviction"):
            open_store(server.url).open()

    def test_one_that_writes_its_file_later_says_what_may_be_lost(
        self, tmp_path: Path
    ) -> None:
        with OtherRedis(tmp_path / "redis", appendfsync="everysec") as server:
            store = open_store(server.url)
            store.migrate()
            store.open()
            (said,) = store.cannot_promise()
            assert "everysec" in said
            assert store.capabilities.keeps_tokens
            store.close()

    def test_one_that_writes_later_while_it_rewrites_its_file_says_so(
        self, server: Redis, store: Store, client: library.Redis
    ) -> None:
        client.config_set("no-appendfsync-on-rewrite", "yes")
        store.close()
        store.open()
        (said,) = store.cannot_promise()
        assert "no-appendfsync-on-rewrite" in said

    def test_one_with_a_replica_does_not_keep_tokens(self, tmp_path: Path) -> None:
        with OtherRedis(tmp_path / "master", repl_diskless_sync_delay="0") as master:
            replicaof = f"127.0.0.1 {master.port}"
            with OtherRedis(tmp_path / "replica", replicaof=replicaof) as replica:
                with library.Redis.from_url(master.url, socket_timeout=60) as client:
                    assert client.wait(1, 50_000) == 1
                store = open_store(master.url)
                store.migrate()
                store.open()
                (said,) = store.cannot_promise()
                assert "replicas" in said
                assert not store.capabilities.keeps_tokens
                store.close()
                with pytest.raises(errors.StoreUnavailable, match="another machine"):
                    open_store(replica.url).migrate()

    def test_one_that_may_not_be_asked_says_so(
        self, server: Redis, store: Store, client: library.Redis
    ) -> None:
        client.execute_command(
            "ACL", "SETUSER", "node", "on", f">{SECRET}", "~*", "&*", "+@all", "-config"
        )
        asked = open_store(f"redis://node:{SECRET}@127.0.0.1:{server.port}/0")
        asked.open()
        (said,) = asked.cannot_promise()
        assert "does not say" in said
        asked.close()
        client.execute_command("ACL", "DELUSER", "node")


class TestSchema:
    def numbers(self, client: library.Redis, version: int, floor: int) -> None:
        key = layout.prefix(layout.SCHEMA) + "numbers"
        client.hset(key, mapping={"version": version, "floor": floor})

    def test_a_store_that_was_never_migrated_is_not_opened(
        self, server: Redis, client: library.Redis
    ) -> None:
        with pytest.raises(errors.StoreUnusable, match="schema none"):
            open_store(server.url).open()

    def test_a_newer_one_that_lets_this_release_in_is_left_as_it_is(
        self, server: Redis, client: library.Redis
    ) -> None:
        self.numbers(client, setup.VERSION + 1, setup.VERSION)
        store = open_store(server.url)
        store.migrate()
        store.open()
        store.close()
        numbers = client.hgetall(layout.prefix(layout.SCHEMA) + "numbers")
        assert cast("dict[bytes, bytes]", numbers)[b"version"] == b"2"

    def test_a_newer_one_that_does_not_is_refused_before_anything_changes(
        self, server: Redis, client: library.Redis
    ) -> None:
        self.numbers(client, setup.VERSION + 2, setup.VERSION + 1)
        store = open_store(server.url)
        for step in (store.migrate, store.open):
            with pytest.raises(errors.StoreUnusable, match="schema 2 or newer"):
                step()
        assert client.keys("*") == [(layout.prefix(layout.SCHEMA) + "numbers").encode()]


class TestUrl:
    def test_a_password_that_is_wrong_is_not_told(
        self, server: Redis, store: Store
    ) -> None:
        url = f"redis://nobody:{SECRET}@127.0.0.1:{server.port}/0"
        with pytest.raises(errors.StoreUnusable, match="password") as caught:
            open_store(url).open()
        assert SECRET not in str(caught.value)


class TestFaults:
    def test_one_that_is_not_there_may_come(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
            with pytest.raises(errors.StoreUnavailable):
                open_store(url).open()

    def test_one_that_stands_still_is_not_waited_for(
        self, server: Redis, client: library.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "ANSWER_WITHIN", 0.3)
        store = open_store(server.url)
        store.migrate()
        store.open()
        server.freeze()
        try:
            with pytest.raises(errors.StoreUnavailable, match="in time"):
                store.tenants.find("default")
        finally:
            server.thaw()
        assert store.tenants.find("default") is not None
        store.close()

    def test_one_that_was_killed_is_found_again(self, tmp_path: Path) -> None:
        with Redis(tmp_path / "redis") as server:
            store = open_store(server.url)
            store.migrate()
            store.open()
            schedule = factories.make_schedule()
            assert store.schedules.create(schedule, limit=1, quota=None)
            server.kill()
            with pytest.raises(errors.StoreUnavailable):
                store.schedules.find(schedule.tenant, schedule.id)
            server.start()
            # It has forgotten the scripts, and is given them.
            assert store.schedules.find(schedule.tenant, schedule.id) == schedule
            store.close()

    def test_one_without_memory_changes_nothing_and_can_be_read(
        self, store: Store, client: library.Redis
    ) -> None:
        schedule = factories.make_schedule(cursor=START)
        assert store.schedules.create(schedule, limit=1, quota=None)
        item = factories.make_materialisation(
            schedule, runs=(factories.make_run(schedule, scheduled_for=START),)
        )
        before = client.dbsize()
        client.config_set("maxmemory", "1")
        with pytest.raises(errors.StoreUnavailable, match="memory"):
            store.schedules.materialise([item], now=START)
        assert store.schedules.find(schedule.tenant, schedule.id) == schedule
        assert client.dbsize() == before
        client.config_set("maxmemory", "0")
        assert store.schedules.materialise([item], now=START)[0] == (True,)

    def test_scripts_that_were_flushed_are_given_again(
        self, store: Store, client: library.Redis
    ) -> None:
        client.script_flush()
        assert store.tenants.find("default") is not None
        client.script_flush()
        assert store.leases.earliest() is None

    def test_one_that_is_closed_does_not_answer(self, store: Store) -> None:
        store.close()
        for verb in (store.ping, store.now, store.leases.earliest):
            with pytest.raises(errors.StoreUnavailable, match="closed"):
                verb()


class _Pretending(socketserver.StreamRequestHandler):
    """Takes commands as a server does, and answers scripts as ``answer`` says."""

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            match words[0].upper():
                case b"HELLO":
                    answer = b"%1\r\n$5\r\nproto\r\n:3\r\n"
                case b"PING" | b"CLIENT" | b"SELECT":
                    answer = b"+OK\r\n"
                case _:
                    answer = self.answer()
            self.wfile.write(answer)

    def answer(self) -> bytes:
        """Return what a script answers."""
        raise NotImplementedError


@contextmanager
def pretended(answer: Callable[[], bytes]) -> Iterator[engine.Engine]:
    """Give an engine on a server that answers scripts so."""
    members = {"answer": lambda _: answer()}
    handler = type("Handler", (_Pretending,), members)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = engine.Engine(f"redis://127.0.0.1:{server.server_address[1]}/0")
        made.connect()
        yield made
        made.close()
        server.shutdown()


def test_a_verb_that_is_under_way_comes_to_its_end_when_the_store_is_closed() -> None:
    asked, go = threading.Event(), threading.Event()

    def answer() -> bytes:
        asked.set()
        assert go.wait(60)
        return b"$1\r\n\x07\r\n"

    with pretended(answer) as made, ThreadPoolExecutor(1) as pool:
        verb = pool.submit(made.call, "first", "default", keys=[])
        assert asked.wait(60)
        made.close()
        go.set()
        assert verb.result(timeout=60) == 7
        with pytest.raises(errors.StoreUnavailable, match="closed"):
            made.call("first", "default", keys=[])


@pytest.mark.parametrize(
    ("error", "meant", "says"),
    [
        ("LOADING Redis is loading the dataset", errors.StoreUnavailable, "reading"),
        ("BUSY Redis is busy running a script", errors.StoreUnavailable, "busy"),
        ("TRYAGAIN Multiple keys request", errors.StoreUnavailable, "moving"),
        ("CLUSTERDOWN The cluster is down", errors.StoreUnavailable, "cluster"),
        ("MASTERDOWN Link with MASTER is down", errors.StoreUnavailable, "master"),
        ("READONLY You can't write", errors.StoreUnavailable, "another machine"),
        ("NOREPLICAS Not enough replicas", errors.StoreUnavailable, "replicas"),
        ("MISCONF Errors writing the AOF file", errors.StoreUnavailable, "file"),
        ("OOM command not allowed", errors.StoreUnavailable, "memory"),
        ("ERR max number of clients reached", errors.StoreUnavailable, "answer"),
        ("NOAUTH Authentication required.", errors.StoreUnusable, "password"),
        ("WRONGPASS invalid username", errors.StoreUnusable, "password"),
        ("NOPERM this user has no permissions", errors.StoreUnusable, "may not"),
        ("MOVED 3999 127.0.0.1:6381", errors.StoreUnusable, "cluster"),
        ("WRONGTYPE Operation against a key", errors.StoreUnusable, "something else"),
        ("ERR something that nobody knows", errors.StoreUnusable, "refused a command"),
    ],
)
def test_each_error_of_a_server_has_a_meaning(
    error: str, meant: type[errors.CronyError], says: str
) -> None:
    with (
        pretended(lambda: f"-{error}\r\n".encode()) as made,
        pytest.raises(meant, match=says) as caught,
    ):
        made.call("first", "default", keys=[])
    detail = error.partition(" ")[2]
    assert detail not in str(caught.value)
