"""Every statement of the hot path goes through its index, as PostgreSQL's planner says.

What it was told of the tables was counted while nothing was to be done, as it is when
a burst of work comes after a quiet hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import Literal

from crony.model.state import AttemptState
from crony.storage import open_store
from crony.storage.sql.postgresql.connection import connect, parameters
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.storage.scene import Scene
from tests.folders import Folders
from tests.storage.hot_path import caught, verbs

ROWS = 20_000

#: Tables that grow with schedules or history, and what makes their rows other ones.
GROWING = {
    "schedules": {"id": "'s' || i", "name": "'n' || i", "group_name": "'g' || i % 50"},
    "definitions": {"schedule": "'s' || i"},
    "versions": {"schedule": "'s' || i"},
    "runs": {
        "id": "'r' || i",
        "schedule": "'s' || i % 500",
        "parent": "CASE WHEN i % 20 = 0 THEN 'r' || i - 1 END",
        "origin": "CASE WHEN i % 10 = 0 THEN 'manual' ELSE 'schedule' END",
        "group_name": "'g' || i % 50",
        "scheduled_for": "t.scheduled_for - i",
        "finished_at": "t.finished_at - i",
    },
    "attempts": {
        "run": "'r' || i",
        "schedule": "'s' || i % 500",
        "finished_at": "t.finished_at - i",
    },
    "outputs": {"run": "'r' || i"},
    "pieces": {"run": "'r' || i"},
    "progress": {"schedule": "'s' || i"},
    "events": {"sequence": "i + 1000", "schedule": "'s' || i % 500"},
    "deliveries": {"sequence": "i + 1000", "webhook": "'w' || i % 5"},
}

#: Indexes of what is few, or wanted from its beginning.
FEW = re.compile(
    r"_(offers|lease_ends|waiting|due|overlap|deadline|pulse|preemptible|by_age|seen)$"
)

#: What is asked for once in a while, and is about all that is unfinished, or all that
#: a tenant has.
ALL = re.compile("SELECT DISTINCT r.schedule|UPDATE schedules SET tenant_held")


@pytest.fixture(scope="module")
def full(in_memory: Folders) -> Iterator[str]:
    """The URL of a store with a long history and many idle schedules."""
    directory = in_memory("full") / "server"
    with PostgreSQL(directory, autovacuum="off") as server:
        store = open_store(server.url)
        store.migrate()
        store.open()
        begin(Scene(store))
        store.close()
        with psycopg.connect(server.url, autocommit=True) as connection:
            for table, others in GROWING.items():
                fill(connection, table, others)
            connection.execute("ANALYZE")
        yield server.url


@pytest.fixture(scope="module")
def sent(full: str) -> dict[str, Any]:
    """The statements of the hot path, with what they were given."""
    with caught() as statements:
        verbs(full)
    return dict(statements)


def begin(scene: Scene) -> None:
    """Store one of each thing that is to be many, all of it over."""
    store = scene.store
    schedule = scene.schedule(name="one", cursor=START + timedelta(days=1))
    scene.manual(schedule)
    worker = scene.worker()
    (item,) = scene.start(worker)
    store.leases.progress(
        worker.tenant, worker.id, item.token, factories.make_progress(item.run)
    )
    chunk = factories.make_chunk(b"x")
    store.logs.append(
        worker.tenant, worker.id, item.run, item.token, [chunk], head=9, bound=9
    )
    scene.report(worker, item, AttemptState.FAILED)
    webhook = factories.make_webhook(name="first")
    assert store.webhooks.put(webhook, expected=None)
    (event, *_) = store.events.page("default", after=0, limit=1)
    delivery = factories.make_delivery(webhook, event=event)
    assert store.webhooks.advance(webhook, position=1, deliveries=[delivery], most=9)


def fill(
    connection: psycopg.Connection[Any], table: str, others: Mapping[str, str]
) -> None:
    """Add rows like the one there is."""
    asked = (
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s"
    )
    names = [name for (name,) in connection.execute(asked, [table])]
    values = ", ".join(others.get(name, f"t.{name}") for name in names)
    connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    connection.execute(
        f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE"
        f" SELECT {values} FROM generate_series(1, {ROWS}) i,"
        f" (SELECT * FROM {table} LIMIT 1) t"
    )
    connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


Plan = dict[str, Any]


def explained(
    connection: psycopg.Connection[Any], sql: str, values: Mapping[str, Any]
) -> Plan:
    """Return the plan of a statement that is prepared, as a driver has it."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    asked = re.sub(r"%\((\w+)\)s", place, sql).replace("%%", "%")
    given = ", ".join(Literal(values[name]).as_string(connection) for name in names)
    connection.execute(f"PREPARE asked AS {asked}")
    try:
        run = f"EXECUTE asked({given})" if given else "EXECUTE asked"
        row = connection.execute(f"EXPLAIN (FORMAT JSON) {run}").fetchone()
    finally:
        connection.execute("DEALLOCATE asked")
    assert row is not None
    plan: Plan = row[0][0]["Plan"]
    return plan


def nodes(plan: Plan, *, limited: bool = False) -> Iterator[tuple[Plan, bool]]:
    """Return the steps of a plan, and whether each is cut off by a limit."""
    yield plan, limited
    limited = limited or plan["Node Type"] == "Limit"
    for step in plan.get("Plans", ()):
        yield from nodes(step, limited=limited)


def tables(plan: Plan) -> Iterator[str]:
    """Return the tables that a plan reads."""
    for step, _ in nodes(plan):
        if "Relation Name" in step:
            yield step["Relation Name"]


def faults(plan: Plan, sql: str) -> Iterator[str]:
    """Return what of a plan takes longer the more there is."""
    # What was found for each of a list, or in one group, is put in order at the end.
    few = "json_" in sql or "s.group_name =" in sql
    for step, limited in nodes(plan):
        kind, index = step["Node Type"], step.get("Index Name", "")
        if kind == "Seq Scan" and step["Relation Name"] in GROWING:
            yield f"walks {step['Relation Name']}"
        whole = "Index Cond" not in step and not FEW.search(index)
        if index and whole and index.partition("_")[0] in GROWING:
            yield f"walks {index}"
        if (
            kind == "Sort"
            and limited
            and not few
            and GROWING.keys() & set(tables(step))
        ):
            yield f"sorts by {step['Sort Key']} before it cuts"


@pytest.mark.parametrize("mode", ["custom", "generic"])
def test_no_statement_walks_a_table_that_grows(
    full: str, sent: Mapping[str, Any], mode: str
) -> None:
    bad = []
    count = 0
    with closing(connect(parameters(full))) as connection:
        connection.execute(f"SET plan_cache_mode = force_{mode}_plan")
        for sql, values in sent.items():
            if not re.match(r"SELECT|UPDATE|DELETE|INSERT.*SELECT", sql):
                continue
            if ALL.match(sql):
                continue
            count += 1
            plan = explained(connection, sql, values)
            bad += [(fault, sql) for fault in faults(plan, sql)]
    assert count > 170
    assert not bad, "\n\n".join(f"{fault}\n{sql}" for fault, sql in bad)
