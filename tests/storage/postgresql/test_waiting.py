"""PostgreSQL keeps somebody waiting, or is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from crony import errors
from crony.storage import open_store
from crony.storage.contract import NEWS_BYTES, Store
from crony.storage.sql import SqlStore
from crony.storage.sql.dialect import text
from crony.storage.sql.noun import Noun
from crony.storage.sql.postgresql import PostgresqlDatabase, connection
from crony.testing import factories
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.storage.scene import Scene
from tests.storage.postgresql.conftest import rows

STOP_WITH_THE_LOCK = """
import os, signal, sys
from crony.storage.sql.postgresql import PostgresqlDatabase
database = PostgresqlDatabase(sys.argv[1])
database.connect()
with database.writing("default") as connection:
    print("locked", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""

WRITE = text(
    "INSERT INTO duties (duty, until, last) VALUES (:name, 0, 0)"
    " ON CONFLICT (duty) DO UPDATE SET last = duties.last + 1"
)


def test_a_process_that_stops_with_the_lock_holds_up_the_others_for_seconds(
    url: str, store: Store
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", STOP_WITH_THE_LOCK, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        # It waits for the lock, and gets it before it gives up.
        Scene(store).schedule(name="one")
    finally:
        holder.send_signal(signal.SIGCONT)
        holder.communicate()
    # What it goes on with when it comes to is refused.
    assert holder.returncode != 0
    assert store.schedules.find("default", "one") is not None


def test_tenants_do_not_wait_for_each_other(url: str, store: Store) -> None:
    scene = Scene(store)
    scene.tenant("other")
    database = PostgresqlDatabase(url)
    database.connect()
    with database.writing("default"):
        schedule = factories.make_schedule(tenant="other")
        assert store.schedules.create(schedule, limit=1, quota=None)
    database.close()


def test_a_verb_that_has_to_give_way_is_begun_again(url: str) -> None:
    database = PostgresqlDatabase(url)
    database.connect()
    meet = threading.Barrier(2)
    begun: list[str] = []

    class Crossing(Noun):
        def write(self, *names: str) -> None:
            begun.append(names[0])
            with self._database.writing() as connection:
                for name in names:
                    connection.execute(WRITE, {"name": name})
                    # Both have their first when they come to the other's.
                    if len(begun) <= 2 and name == names[0]:
                        meet.wait(timeout=30)

    both = [
        threading.Thread(target=Crossing(database).write, args=names)
        for names in (("a", "b"), ("b", "a"))
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    database.close()
    # Once more, or more than once: the one that gave way may be back at its first row
    # before the other has got it.
    assert len(begun) > 2
    found = rows(url, "SELECT duty, last FROM duties WHERE duty IN ('a', 'b')")
    assert sorted(found) == [("a", 1), ("b", 1)]


def test_news_reach_the_listeners_of_other_stores(url: str, store: Store) -> None:
    heard: list[bytes] = []
    enough = threading.Event()
    listener = open_store(url)
    listener.open()

    def hear(news: bytes) -> None:
        heard.append(news)
        if news == b"\xff" * NEWS_BYTES:
            enough.set()

    thread = threading.Thread(
        target=listener.listen, args=(hear,), kwargs={"until": enough.is_set}
    )
    thread.start()
    while not heard:
        store.tell(b"are you there?")
    store.tell(b"\xff" * NEWS_BYTES)
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert set(heard) == {b"are you there?", b"\xff" * NEWS_BYTES}
    listener.close()


def test_whoever_listens_is_told_that_the_store_is_lost(
    server: PostgreSQL, other: str
) -> None:
    store = open_store(other)
    store.migrate()
    store.open()
    heard = threading.Event()
    lost: list[BaseException] = []

    def listen() -> None:
        try:
            store.listen(lambda _: heard.set(), until=lambda: False)
        except errors.StoreUnavailable as exc:
            lost.append(exc)

    thread = threading.Thread(target=listen)
    thread.start()
    while not heard.is_set():
        store.tell(b"x")
    server.kill()
    thread.join(timeout=30)
    server.start()
    store.close()
    assert len(lost) == 1


def test_a_server_that_comes_back_is_found_without_an_error(
    server: PostgreSQL, other: str
) -> None:
    store = open_store(other)
    store.migrate()
    store.open()
    assert store.keys.insert(factories.make_key())
    server.kill()
    with pytest.raises(errors.StoreUnavailable):
        store.ping()
    server.start()
    # The connections that it had are replaced before anything is asked of them.
    assert store.keys.insert(factories.make_key())
    store.ping()
    server.stop()
    server.start()
    store.ping()
    store.close()


def test_a_server_that_says_nothing_is_given_up(
    server: PostgreSQL, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_WITHIN", 0.5)
    store = open_store(other)
    store.migrate()
    store.open()
    store.ping()
    server.freeze()
    try:
        with pytest.raises(errors.StoreUnavailable):
            store.ping()
        with pytest.raises(errors.StoreUnavailable):
            store.keys.insert(factories.make_key())
    finally:
        server.thaw()
    monkeypatch.undo()
    store.ping()
    store.close()


def test_verbs_after_the_end_are_refused(url: str) -> None:
    store = SqlStore(PostgresqlDatabase(url))
    store.open()
    store.close()
    for verb in (store.ping, store.now, lambda: store.tell(b"x")):
        with pytest.raises(errors.StoreUnavailable, match="closed"):
            verb()


def test_a_migration_may_stop_for_longer_than_a_verb(url: str) -> None:
    name = "idle_in_transaction_session_timeout"
    ask = f"SELECT setting::int FROM pg_settings WHERE name = '{name}'"
    database = PostgresqlDatabase(url)
    database.connect()
    found = []
    for transaction in (database.writing, database.migrating, database.writing):
        with transaction() as connection:
            found.append(connection.command(ask).scalar_one())
    database.close()
    assert found == [3_000, 60_000, 3_000]
