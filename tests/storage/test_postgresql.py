"""What is special to PostgreSQL: its server, its locks, its errors."""

from __future__ import annotations

import builtins
import logging
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from crony import clock, errors
from crony.model.policy import Policy, Sandbox
from crony.storage import open_store
from crony.storage.contract import NEWS_BYTES, Store
from crony.storage.sql import SqlStore
from crony.storage.sql.dialect import postgresql as said
from crony.storage.sql.noun import Noun
from crony.storage.sql.postgresql import PostgresqlDatabase, connection, meaning
from crony.testing import factories
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.storage.scene import Scene
from tests.storage.stands import Stand

MIGRATE = """
import sys
from crony.storage import open_store
store = open_store(sys.argv[1])
sys.stdin.read(1)
store.migrate()
store.open()
print(store.tenants.find("default").name)
"""

STOP_WITH_THE_LOCK = """
import os, signal, sys
from crony.storage.sql.postgresql import PostgresqlDatabase
database = PostgresqlDatabase(sys.argv[1])
database.connect()
with database.writing("default") as connection:
    print("locked", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""

WRITE = sa.text(
    "INSERT INTO duties (duty, until, last) VALUES (:name, 0, 0)"
    " ON CONFLICT (duty) DO UPDATE SET last = duties.last + 1"
)


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """A server that may be killed and frozen, and promises little."""
    directory = tmp_path_factory.mktemp("other") / "server"
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


def test_both_names_of_the_scheme_are_one_store(url: str) -> None:
    short = open_store(url.replace("postgresql://", "postgres://"))
    short.open()
    assert short.tenants.find("default") is not None
    short.close()


def test_without_its_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **given: Any) -> Any:
        if name.startswith("psycopg"):
            raise ImportError(name)
        return real(name, *rest, **given)

    for name in list(sys.modules):
        if name.startswith(("psycopg", "crony.storage.sql.postgresql")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(errors.InvalidSetting, match=r"crony\[postgresql\]"):
        open_store("postgresql://host/crony")


@pytest.mark.parametrize(
    "bad",
    [
        "postgresql://crony:s3cret%zz@127.0.0.1/crony",
        "postgresql://crony:s3cret@127.0.0.1:port/crony",
        "postgresql://crony:s3cret@127.0.0.1/crony?nosuch=s3cret",
        "postgresql://crony:s3cret@[::1/crony",
    ],
)
def test_an_url_that_can_not_be_read_is_refused_and_not_quoted(bad: str) -> None:
    with pytest.raises(errors.CronyError) as caught:
        open_store(bad).open()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_password_is_for_people_to_mend_and_is_told_to_nobody(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = url.replace(PostgreSQL.password.replace(" ", "%20"), "s3cret")
    with pytest.raises(errors.StoreUnusable, match="password") as caught:
        open_store(wrong).open()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in caplog.text


def test_a_password_may_come_from_the_environment(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = url.replace(":" + PostgreSQL.password.replace(" ", "%20"), "")
    with pytest.raises(errors.StoreUnusable, match="password"):
        open_store(bare).open()
    monkeypatch.setenv("PGPASSWORD", PostgreSQL.password)
    store = open_store(bare)
    store.open()
    store.ping()
    store.close()


def test_a_database_that_is_not_there_is_for_people_to_mend(url: str) -> None:
    with pytest.raises(errors.StoreUnusable, match="database"):
        open_store(url.removesuffix("crony") + "nosuch").open()


def test_a_store_that_was_not_migrated_is_not_opened(other: str) -> None:
    with pytest.raises(errors.StoreUnusable):
        open_store(other).open()
    assert rows(other, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_a_database_of_somebody_else_is_refused_and_left_alone(other: str) -> None:
    with psycopg.connect(other) as theirs:
        theirs.execute("CREATE TABLE theirs (id text)")
    with pytest.raises(errors.StoreUnusable, match="another"):
        open_store(other).migrate()
    found = rows(other, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert found == [("theirs",)]


def test_two_processes_migrate_at_once_and_both_succeed(other: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, other],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate()[0].strip() for process in processes]
    assert answers == ["default", "default"]


@pytest.mark.parametrize(("floor", "refused"), [("9998", True), ("0004", False)])
def test_a_newer_schema_says_which_releases_may_work_on_it(
    other: str, floor: str, *, refused: bool
) -> None:
    open_store(other).migrate()
    with psycopg.connect(other) as admin:
        admin.execute("UPDATE alembic_version SET version_num = '9999'")
        admin.execute("UPDATE schema_floor SET floor = %s", [floor])
    store = open_store(other)
    for step in (store.migrate, store.open):
        if refused:
            with pytest.raises(errors.StoreUnusable, match="9998 or newer"):
                step()
        else:
            step()
    store.close()


def test_text_is_in_the_order_of_code_points_whatever_the_server_speaks(
    url: str,
) -> None:
    found = rows(
        url,
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'",
    )
    assert found == []


def test_batches_know_which_parameters_are_numbers(url: str) -> None:
    def columns(kind: str) -> set[str]:
        asked = (
            "SELECT column_name FROM information_schema.columns"
            f" WHERE table_schema = 'public' AND data_type = '{kind}'"
        )
        return {name for (name,) in rows(url, asked)}

    numbers, texts = columns("bigint"), columns("text")
    # Of runs and schedules an id is text; of lanes and policies no batch is made.
    assert numbers & texts == {"id"}
    assert numbers - {"id"} | {"now", "grown", "limit"} == said.NUMBERS
    assert columns("bytea") == {"body", "data"}


def test_commits_are_durable_whatever_the_database_says(other: str) -> None:
    with psycopg.connect(other, autocommit=True) as admin:
        admin.execute("ALTER DATABASE other SET synchronous_commit = off")
    with closing(connection.connect(connection.parameters(other))) as ours:
        row = ours.execute("SHOW synchronous_commit").fetchone()
        assert row == ("on",)


def test_a_server_that_promises_little_is_told_of(store: Store, other: str) -> None:
    assert store.cannot_promise() == ()
    weak = open_store(other)
    weak.migrate()
    weak.open()
    told = " ".join(weak.cannot_promise())
    assert "fsync is off" in told
    assert "full_page_writes is off" in told
    weak.close()


def test_the_time_is_the_servers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> None:
        raise AssertionError("the host's clock was asked")

    monkeypatch.setattr(clock, "host_now", nobody)
    first = store.now()
    assert first.tzinfo is not None
    assert store.now() >= first


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
    assert len(begun) == 3
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


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", errors.StoreUnavailable),
        ("25006", errors.StoreUnavailable),
        ("25P03", errors.StoreUnavailable),
        ("40001", errors.StoreUnavailable),
        ("40P01", errors.StoreUnavailable),
        ("53100", errors.StoreUnavailable),
        ("53300", errors.StoreUnavailable),
        ("55P03", errors.StoreUnavailable),
        ("57014", errors.StoreUnavailable),
        ("57P01", errors.StoreUnavailable),
        ("57P03", errors.StoreUnavailable),
        ("58030", errors.StoreUnavailable),
        ("28P01", errors.StoreUnusable),
        ("3D000", errors.StoreUnusable),
        ("42501", errors.StoreUnusable),
        ("42P01", errors.StoreUnusable),
        ("XX001", errors.StoreUnusable),
        ("23502", errors.StoreUnusable),
    ],
)
def test_an_error_of_the_database_is_ours_and_keeps_its_text_to_itself(
    state: str, expected: type[errors.CronyError]
) -> None:
    foreign = psycopg.errors.lookup(state)("secret text")
    with pytest.raises(expected) as caught, meaning.translated():
        raise foreign
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is foreign


def test_verbs_after_the_end_are_refused(url: str) -> None:
    store = SqlStore(PostgresqlDatabase(url))
    store.open()
    store.close()
    for verb in (store.ping, store.now, lambda: store.tell(b"x")):
        with pytest.raises(errors.StoreUnavailable, match="closed"):
            verb()


def test_a_directory_of_the_server_may_be_passed_and_not_read(
    server: PostgreSQL, tmp_path: Path
) -> None:
    assert server.directory.stat().st_mode & 0o077 in (0, 0o001)
    assert server.data.stat().st_mode & 0o077 == 0


def test_what_runs_ask_for_may_be_longer_than_an_index_holds(store: Store) -> None:
    scene = Scene(store)
    # Not to be made short by repeating itself.
    labels = {f"{n:04}": factories.make_schedule().id for n in range(400)}
    long = Policy(sandbox=Sandbox(ro_paths=tuple(labels.values())))
    for _ in range(2):
        schedule = scene.schedule(requires=labels)
        run = scene.manual(schedule, policy=long)
        assert scene.leased(scene.worker(labels=labels)) == [run.id]
