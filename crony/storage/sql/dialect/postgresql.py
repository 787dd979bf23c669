"""What PostgreSQL says in its own way."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache

from crony.storage.sql.dialect.rows import Row

#: By way of an array, of which the planner supposes that it has ten items, and looks
#: each up. Of JSON it supposes a hundred, and reads a whole table for them.
_EACH = "unnest(ARRAY(SELECT json_array_elements_text(CAST({0} AS json))))"

#: How the driver has parameters.
PARAMETERS = "pyformat"

#: See ``statement``; what each word means stands in ``words``.
FORMS = {
    "each": f"{_EACH} {{1}}(value)",
    "each_number": (
        f"(SELECT CAST(value AS bigint) AS value FROM {_EACH} items(value)) {{1}}"
    ),
    "members": "json_each_text(CAST({0} AS json)) {1}",
    "among": f"(SELECT value FROM {_EACH} items(value))",
    "among_numbers": f"(SELECT CAST(value AS bigint) FROM {_EACH} items(value))",
    "part": "(CAST({0}.value AS json) ->> {1})",
    "part_number": "CAST(CAST({0}.value AS json) ->> {1} AS bigint)",
    "member": "(CAST({0} AS json) ->> '{1}')",
    "packed": "coalesce(CAST(json_agg({0}) AS text), '[]')",
    "packed_rows": "coalesce(CAST(json_agg(json_build_array({0})) AS text), '[]')",
    "greatest": "greatest({0}, {1})",
    "least": "least({0}, {1})",
    "flag": "(CASE WHEN {0} THEN 1 ELSE 0 END)",
    "same": "{0} IS NOT DISTINCT FROM {1}",
    "place_in": "strpos({0}, {1})",
    "by_index": "",
    "tables": (
        "(SELECT tablename AS name FROM pg_tables"
        " WHERE schemaname = current_schema()) tables"
    ),
    "trigger": (
        "CREATE FUNCTION {0}() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN {4} RETURN NULL; END $$;"
        " CREATE TRIGGER {0} AFTER {2} ON {1} FOR EACH ROW WHEN ({3})"
        " EXECUTE FUNCTION {0}()"
    ),
    # An entry of the usual index has no more than 2,704 bytes.
    "unique_text": (
        "ALTER TABLE {0} ADD CONSTRAINT {0}_by_{1} EXCLUDE USING hash ({1} WITH =)"
    ),
    "unique_texts": "CREATE INDEX {0}_of_each ON {0} ({2})",
    "without_trigger": "DROP FUNCTION {0}() CASCADE",
}


def _tally(table: str, event: str, queue: str, where: str, *parts: str) -> str:
    """Return the trigger that counts what a statement has changed, in one go.

    Row by row, each would write the same line anew, and go past all that were written
    before it.
    """
    name = f"{table}_tallied_{event.lower()}"
    changes = " UNION ALL ".join(
        f"SELECT tenant, {queue} AS queue, state, {by} AS change FROM {rows}"
        for rows, by in (("fresh", "1"), ("stale", "-1"))
        if rows in parts
    )
    named = {"fresh": "NEW TABLE AS fresh", "stale": "OLD TABLE AS stale"}
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO tallies (tenant, queue, state, count)"
        f" SELECT tenant, queue, state, sum(change) FROM ({changes}) changes{where}"
        " GROUP BY tenant, queue, state HAVING sum(change) <> 0"
        " ORDER BY tenant, queue, state"
        " ON CONFLICT (tenant, queue, state)"
        " DO UPDATE SET count = tallies.count + excluded.count;"
        " RETURN NULL; END $$;"
        f" CREATE TRIGGER {name} AFTER {event} ON {table}"
        f" REFERENCING {' '.join(named[part] for part in parts)}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


_LIVE = " WHERE state IN ('pending', 'leased', 'running', 'stopping')"

#: They keep ``tallies``.
TALLY_TRIGGERS = (
    _tally("runs", "INSERT", "queue", _LIVE, "fresh"),
    _tally("runs", "UPDATE", "queue", _LIVE, "stale", "fresh"),
    _tally("schedules", "INSERT", "CAST('' AS text)", "", "fresh"),
    _tally("schedules", "UPDATE", "CAST('' AS text)", "", "stale", "fresh"),
)

#: What the planner is told. Of what changes all the time, what was counted a minute ago
#: misleads: that nothing waits, when there is nothing to do; then any index of what
#: waits seems as good as the right one. Without numbers it supposes a little of each.
TUNING = (
    *(
        f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0"
        for table, column in (
            *(("runs", "state"), ("runs", "admitted"), ("runs", "waiting")),
            *(("runs", "overlap"), ("runs", "deadline_at"), ("runs", "pulse_at")),
            *(("runs", "worker"), ("deliveries", "state"), ("deliveries", "next_at")),
        )
    ),
    # Each run leaves dead rows behind, however long the history is that stays.
    "ALTER TABLE runs SET (autovacuum_vacuum_scale_factor = 0.02,"
    " autovacuum_analyze_scale_factor = 0.05)",
)

_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")

#: What is a number among parameters: columns that are, and three words of statements.
NUMBERS = frozenset(
    (
        *("admitted", "at", "attempt", "available_at", "carried", "catch_up"),
        *("changed_at", "claimed_at", "count", "created_at", "cursor", "deadline_at"),
        *("draining", "due_at", "duration", "exit_code", "expires_at", "failures"),
        *("finished_at", "followed_attempt", "grown", "head", "held", "hook_attempt"),
        *("hook_interval", "kept", "lane", "last", "lateness", "leased_at", "level"),
        *("limit", "lost", "max_concurrent", "max_lost", "next_at", "now", "number"),
        *("occurrences", "paused", "policy", "position", "preempted", "preemptible"),
        *("priority", "pulse_at", "pulses", "range_count", "range_until"),
        *("registered_at", "reserved_until", "revision", "scheduled_for"),
        *("seen_at", "sequence", "since", "size", "slots", "start", "start_at"),
        *(
            "started_at",
            "status",
            "tenant_held",
            "token",
            "tries",
            "until",
            "updated_at",
        ),
        *("used_at", "waiting", "written"),
    )
)


def batch(sql: str, rows: Sequence[Row]) -> tuple[str, Row]:
    """Return what does at once, for all rows, what a statement does for one."""
    names = _taken(sql, tuple(rows[0]))
    if len(names) < len(rows[0]):
        rows = [{name: row[name] for name in names} for row in rows]
    return _at_once(sql, names), {"rows": json.dumps(rows, default=_bytes_out)}


@cache
def _taken(sql: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those that the statement has a parameter for."""
    taken = set(_PARAMETER.findall(sql))
    return tuple(name for name in names if name in taken)


@cache
def _at_once(sql: str, names: tuple[str, ...]) -> str:
    kinds = ", ".join(f'"{name}" {_kind(name)}' for name in names)
    given = ", ".join(f'"{name}" AS given_{name}' for name in names)
    rows = (
        f"(SELECT {given} FROM json_to_recordset(CAST(:rows AS json))"
        f" AS items({kinds})) rows"
    )
    if sql.startswith("UPDATE"):
        what, _, where = sql.rpartition(" WHERE ")
        return f"{_of_row(what)} FROM {rows} WHERE {_of_row(where)}"
    head, _, rest = sql.partition(" VALUES (")
    # No parameter is a call.
    values, _, tail = rest.partition(")")
    return f"{head} SELECT {_of_row(values)} FROM {rows} WHERE true{tail}"


def _kind(name: str) -> str:
    if name == "data":
        return "bytea"
    return "bigint" if name in NUMBERS else "text"


def _bytes_out(value: bytes) -> str:
    return f"\\x{value.hex()}"


def _of_row(sql: str) -> str:
    return _PARAMETER.sub(r"given_\1", sql)
