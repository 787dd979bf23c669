"""Every statement of the hot path goes through an index, as the planner says.

The statements are those the verbs send: caught on their way, then explained.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crony.storage import open_store
from crony.testing.clock import START
from crony.testing.storage.scene import Scene
from tests.storage.hot_path import caught, verbs

# One process fills the file that they share.
pytestmark = pytest.mark.xdist_group("plans")

_WHOLE_TENANT = re.compile(r"\bSEARCH (schedules|runs|[srno])\b.*\(tenant=\?\)$")
#: Partial indexes of what is few, or wanted from its beginning.
_FEW = re.compile(
    r"_(offers|lease_ends|waiting|due|overlap|deadline|pulse|preemptible|by_age)\b"
)


@pytest.mark.parametrize("analysed", [True, False])
def test_no_statement_walks_a_table_that_grows(
    full_file: Path, new_file: Callable[[], Path], *, analysed: bool
) -> None:
    path = new_file()
    path.write_bytes(full_file.read_bytes())
    if not analysed:
        # As a store is: nobody tells it of what it has much.
        with sqlite3.connect(path) as connection:
            connection.execute("DROP TABLE sqlite_stat1")
        connection.close()
    with caught() as statements:
        verbs(f"sqlite:///{path}")
    walked = re.compile(
        r"\bSCAN (schedules|runs|attempts|definitions|events|versions|deliveries"
        r"|[srdaevcf])\b(.*)"
    )
    connection = sqlite3.connect(path)
    bad = []
    explained = 0
    for sql, values in dict(statements).items():
        if not sql.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            continue
        explained += 1
        row = values[0] if isinstance(values, list) else values
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", row).fetchall()
        details = [step[-1] for step in plan]
        for detail in details:
            # A partial index that holds only what is asked for may be walked, and
            # so may the list in a parameter.
            found = walked.search(detail) and "VIRTUAL TABLE" not in detail
            # All that a tenant has is as much.
            listed = "json_each(:schedules)" in sql
            limited = " LIMIT " in sql and not listed
            whole = _WHOLE_TENANT.search(detail) and not limited
            if (found or whole) and not _FEW.search(detail):
                bad.append((sql, detail))
        # What was found for each of a list is put in order once, at the end.
        sorts = details.count("USE TEMP B-TREE FOR ORDER BY")
        if " LIMIT " in sql and sorts > ("json_each(" in sql):
            bad.append((sql, "sorts before it cuts"))
    connection.close()
    assert explained > 150
    assert not bad, "\n\n".join(f"{detail}\n{sql}" for sql, detail in bad)


def sent_to(path: Path) -> list[tuple[str, Any]]:
    """Return what the verbs of the hot path send to an empty store."""
    store = open_store(f"sqlite:///{path}")
    store.open()
    Scene(store).schedule(name="one", cursor=START + timedelta(days=1))
    store.close()
    with caught() as statements:
        verbs(f"sqlite:///{path}")
    return statements


def test_no_row_that_is_written_takes_a_table_of_its_own(
    new_file: Callable[[], Path],
) -> None:
    """A list of constants in the condition of an index or trigger is such a table."""
    path = new_file()
    statements = sent_to(path)
    connection = sqlite3.connect(path)
    batches = {sql: rows[0] for sql, rows in statements if isinstance(rows, list)}
    costly = [
        sql
        for sql, row in batches.items()
        if "OpenEphemeral"
        in {step[1] for step in connection.execute(f"EXPLAIN {sql}", row)}
    ]
    connection.close()
    assert {sql[:16] for sql in batches} >= {"INSERT INTO runs", "UPDATE runs SET "}
    assert costly == []


def test_whatever_changes_a_state_says_when(
    new_file: Callable[[], Path],
) -> None:
    path = new_file()
    statements = sent_to(path)
    changing = {
        sql
        for sql, _ in statements
        if re.match(r"UPDATE runs SET .*\bstate = .* WHERE", sql)
    }
    assert len(changing) > 8
    # Events take their instant from there; of what moves as of none, nothing is told.
    told = ("changed_at = :now", "changed_at = 0")
    assert [sql for sql in changing if not any(t in _named(sql) for t in told)] == []


def _named(sql: str) -> str:
    """Return a statement with its parameters by one name each, as we write them."""
    return re.sub(r"changed_at = (\?|:\w+)", "changed_at = :now", sql)
