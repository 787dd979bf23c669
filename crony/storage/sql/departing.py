"""Schedules and runs with all that is kept of them, as they leave, from SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from crony.model.hook import FollowUp, HookKind
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.run import LogChunk, Progress
from crony.model.schedule import Definition, Version
from crony.storage.codec import definition_in, instant_in
from crony.storage.sql import pruning, rows
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import each, text
from crony.storage.sql.rows import SCHEDULE_COLUMNS, SCHEDULES

_LIMITS = text(
    f"SELECT s.id, s.max_concurrent FROM {each('schedules', 'j')}"
    " JOIN schedules s ON s.id = j.value"
)
_ALIVE = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {each('schedules', 'j')}"
    f" CROSS JOIN {SCHEDULES} WHERE s.id = j.value AND s.state <> 'deleted'"
)
_DEFINITIONS = text(
    f"SELECT d.schedule, d.revision, d.body FROM {each('schedules', 'j')}"
    " JOIN definitions d ON d.schedule = j.value ORDER BY d.schedule, d.revision"
)
_VERSIONS = text(
    "SELECT v.schedule, v.revision, v.since, v.held, v.rules"
    f" FROM {each('schedules', 'j')} JOIN versions v ON v.schedule = j.value"
    " ORDER BY v.schedule, v.number"
)
_PROGRESS = text(
    f"SELECT p.schedule, p.entry FROM {each('schedules', 'j')}"
    " JOIN progress p ON p.schedule = j.value ORDER BY p.schedule, p.number DESC"
)
#: A gap is told before a piece, as ``logs`` reads it.
_PIECES = text(
    "SELECT p.run, p.token, p.sequence, p.stream, p.start, p.data,"
    " p.start - coalesce(lag(p.start + p.size) OVER"
    " (PARTITION BY p.run, p.token, p.stream ORDER BY p.sequence), 0)"
    f" FROM {each('runs', 'j')} JOIN pieces p ON p.run = j.value"
    " ORDER BY p.run, p.token, p.sequence"
)
_SAYS = text(
    f"SELECT a.run, a.token, a.says FROM {each('runs', 'j')}"
    " JOIN attempts a ON a.run = j.value WHERE a.says IS NOT NULL"
    " ORDER BY a.run, a.token"
)
_FOLLOW_UPS = text(
    "SELECT f.tenant, f.schedule, f.run, f.attempt, f.kind, f.number, f.at"
    f" FROM {each('runs', 'j')} JOIN follow_ups f ON f.run = j.value"
    " ORDER BY f.run, f.attempt, f.kind, f.number"
)


def schedules(
    connection: Connection, tenant: str, names: Sequence[str]
) -> tuple[MovedSchedule, ...]:
    """Return schedules, in the order of their names."""
    asked = {"schedules": rows.ids(names)}
    limits = {row[0]: row[1] for row in connection.execute(_LIMITS, asked)}
    found = [rows.schedule(row) for row in connection.execute(_ALIVE, asked)]
    alive = {schedule.id: schedule for schedule in found}
    definitions: defaultdict[str, dict[int, Definition]] = defaultdict(dict)
    for name, revision, body in connection.execute(_DEFINITIONS, asked):
        definitions[name][revision] = definition_in(body)
    progress: defaultdict[str, list[Progress]] = defaultdict(list)
    for name, kept in connection.execute(_PROGRESS, asked):
        entry = rows.progress_in(kept)
        if entry is not None:
            progress[name].append(entry)
    versions = _versions(connection, names, definitions)
    return tuple(
        MovedSchedule(
            tenant=tenant,
            id=name,
            schedule=alive.get(name),
            limit=limits[name],
            definitions=definitions[name],
            versions=tuple(versions[name]),
            pruned=pruning.pruned(connection, tenant, name),
            progress=tuple(progress[name]),
        )
        for name in names
    )


def _versions(
    connection: Connection,
    names: Iterable[str],
    definitions: Mapping[str, Mapping[int, Definition]],
) -> Mapping[str, list[Version]]:
    found: defaultdict[str, list[Version]] = defaultdict(list)
    for row in connection.execute(_VERSIONS, {"schedules": rows.ids(names)}):
        found[row[0]].append(
            Version(
                schedule=row[0],
                revision=row[1],
                since=instant_in(row[2]),
                definition=definitions[row[0]][row[1]],
                held=bool(row[3]),
                rules=row[4],
            )
        )
    return found


def runs(connection: Connection, names: Sequence[str]) -> tuple[MovedRun, ...]:
    """Return runs, in the order of their names."""
    asked = {"runs": rows.ids(names)}
    found = rows.full_runs(connection, names)
    output = _output(connection, names)
    says: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for run, token, said in connection.execute(_SAYS, asked):
        says[run][token] = said
    owed: defaultdict[str, list[FollowUp]] = defaultdict(list)
    for row in connection.execute(_FOLLOW_UPS, asked):
        owed[row[2]].append(_follow_up(row))
    return tuple(
        MovedRun(
            run=found[name],
            output={
                token: tuple(of)
                for token, of in output[name].items()
                if token in found[name].tokens
            },
            says=says[name],
            follow_ups=tuple(owed[name]),
        )
        for name in names
    )


def _output(
    connection: Connection, names: Iterable[str]
) -> Mapping[str, Mapping[int, list[LogChunk]]]:
    found: defaultdict[str, defaultdict[int, list[LogChunk]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in connection.execute(_PIECES, {"runs": rows.ids(names)}):
        run, token, sequence, stream, start, data, dropped = row
        found[run][token].append(
            LogChunk(
                sequence=sequence,
                stream=stream,
                offset=start,
                data=data,
                dropped=dropped,
            )
        )
    return found


def _follow_up(row: rows.Columns) -> FollowUp:
    return FollowUp(
        tenant=row[0],
        schedule=row[1],
        run=row[2],
        attempt=row[3],
        kind=HookKind(row[4]),
        number=row[5],
        at=instant_in(row[6]),
    )
