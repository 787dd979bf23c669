"""What PostgreSQL is asked for: its order, its promises, its time, its errors."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from crony import clock, errors
from crony.model.policy import Policy, Sandbox
from crony.storage import open_store
from crony.storage.contract import Store
from crony.storage.sql.dialect import postgresql as said
from crony.storage.sql.postgresql import connection, meaning
from crony.testing import factories
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.storage.scene import Scene
from tests.storage.postgresql.conftest import rows


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
