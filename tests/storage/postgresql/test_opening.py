"""What PostgreSQL is opened with, and whose schema it has."""

from __future__ import annotations

import builtins
import logging
import subprocess
import sys
import traceback
from typing import Any

import psycopg
import pytest

from crony import errors
from crony.storage import open_store
from crony.testing.servers.postgresql import PostgreSQL
from tests.folders import Folders
from tests.storage.postgresql.conftest import rows

MIGRATE = """
import sys
from crony.storage import open_store
store = open_store(sys.argv[1])
sys.stdin.read(1)
store.migrate()
store.open()
print(store.tenants.find("default").name)
"""


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
    with pytest.raises(errors.InvalidSetting, match=r"install '\.\[postgresql\]'"):
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


def test_a_user_who_may_make_no_tables_is_told_so(in_memory: Folders) -> None:
    with PostgreSQL(in_memory("rights") / "server") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        url = server.url.replace(
            server.url.partition("@")[0], "postgresql://guest:guest"
        )
        with pytest.raises(errors.StoreUnusable, match="may not do what is needed"):
            open_store(url).migrate()
