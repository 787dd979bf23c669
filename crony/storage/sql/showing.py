"""What has become of schedules, as people are shown it, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from crony.model.hook import HookKind
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.state import AttemptState
from crony.storage import rules
from crony.storage.codec import instant_in
from crony.storage.contract import Live
from crony.storage.sql import dialect, listing, rows
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import (
    each,
    packed_rows,
    part,
    part_number,
    text,
    unpacked,
)

#: PERF: of most schedules there is not all of it, and to learn that costs less than to
#: look for each by itself.
_THERE = text(
    "SELECT s.value, EXISTS (SELECT 1 FROM runs r WHERE r.schedule = s.value),"
    " EXISTS (SELECT 1 FROM attempts f"
    f" WHERE f.schedule = s.value AND {dialect.FAULT}),"
    " EXISTS (SELECT 1 FROM progress p WHERE p.schedule = s.value)"
    f" FROM {each('schedules', 's')}"
)
_NEWEST_FAULTS = (
    f"(SELECT {packed_rows('run, number')} FROM (SELECT f.run, f.number"
    f" FROM attempts f WHERE f.schedule = s.value AND {dialect.FAULT}"
    " ORDER BY f.finished_at DESC, f.run DESC, f.number DESC LIMIT :limit) found)"
)
#: The newest attempts at fault, and what error hooks said.
_FAULTS = text(
    "SELECT s.value, a.run, a.number, a.state, a.reason, a.finished_at, a.error,"
    " a.says, a.followed, a.followed_attempt"
    f" FROM {each('schedules', 's')} {rows.OWNED}, {unpacked(_NEWEST_FAULTS, 'n')}"
    f" JOIN attempts a ON a.run = {part('n', 0)} AND a.number = {part_number('n', 1)}"
    " ORDER BY s.value, a.finished_at DESC, a.run DESC, a.number DESC"
)
_PROGRESS = text(
    f"SELECT p.schedule, p.entry FROM {each('schedules', 's')} {rows.OWNED}"
    " JOIN progress p ON p.schedule = s.value ORDER BY p.schedule, p.number DESC"
)


def live(
    connection: Connection,
    tenant: str,
    schedules: Collection[str],
    *,
    runs: int,
    entries: int,
) -> Mapping[str, Live]:
    """Return what ``Runs.live`` does."""
    found = connection.execute(_THERE, {"schedules": rows.ids(set(schedules))}).all()
    ran, erred, told = ([row[0] for row in found if row[n]] for n in (1, 2, 3))
    newest: Mapping[str, Sequence[Run]] = {}
    faults: Mapping[str, Sequence[ErrorEntry]] = {}
    said: Mapping[str, Sequence[Progress]] = {}
    if ran:
        newest = listing.recent(connection, tenant, ran, limit=runs)
    if erred:
        faults = errors(connection, tenant, erred, limit=entries)
    if told:
        said = progress(connection, tenant, told, limit=entries)
    return {
        schedule: Live(
            runs=newest.get(schedule, ()),
            errors=faults.get(schedule, ()),
            progress=said.get(schedule, ()),
        )
        for schedule in {*newest, *faults, *said}
    }


def errors(
    connection: Connection, tenant: str, schedules: Collection[str], *, limit: int
) -> dict[str, list[ErrorEntry]]:
    """Return what ``Runs.errors`` does."""
    asked = {"tenant": tenant, "schedules": rows.ids(schedules), "limit": limit}
    found: dict[str, list[ErrorEntry]] = {}
    for row in connection.execute(_FAULTS, asked):
        found.setdefault(row[0], []).append(_fault(row))
    return found


def progress(
    connection: Connection, tenant: str, schedules: Collection[str], *, limit: int
) -> dict[str, list[Progress]]:
    """Return what ``Runs.progress`` does."""
    asked = {"tenant": tenant, "schedules": rows.ids(schedules)}
    found: dict[str, list[Progress]] = {}
    for schedule, kept in connection.execute(_PROGRESS, asked):
        entry = rows.progress_in(kept)
        entries = found.setdefault(schedule, [])
        if entry is not None and len(entries) < limit:
            entries.append(entry)
    return found


def _fault(row: rows.Columns) -> ErrorEntry:
    """Return the line of a row of ``_FAULTS``."""
    state, reason, at = AttemptState(row[3]), rows.reason_in(row[4]), instant_in(row[5])
    if row[8] is None:
        return rules.error_entry(
            row[1], row[2], state=state, reason=reason, at=at, error=row[6]
        )
    entry = rules.hook_error(
        row[8],
        row[9] or 0,
        # Of others than error hooks, nothing that was said is kept here.
        kind=HookKind.ERROR,
        state=state,
        reason=reason,
        at=at,
        error=row[6],
        says=row[7],
    )
    if entry is None:
        raise AssertionError(f"an attempt of {row[1]} is listed and not at fault")
    return entry
