"""Lines of an export: what is written is read back, and what is odd is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from crony import errors
from crony.model.hook import FollowUp, HookKind
from crony.model.moving import MovedRun, MovedSchedule, Pruned
from crony.model.run import Attempt
from crony.model.schedule import Version
from crony.model.state import AttemptState, RunState
from crony.scheduler.moving.lines import (
    Complete,
    End,
    Header,
    Record,
    Runs,
    Value,
    read,
    written,
)
from crony.testing.clock import START
from crony.testing.factories import (
    make_chunk,
    make_group,
    make_hooks,
    make_key,
    make_profile,
    make_progress,
    make_run,
    make_schedule,
    make_tenant,
    make_webhook,
)


def moved_schedule() -> MovedSchedule:
    schedule = make_schedule(
        hooks=make_hooks(HookKind.PROGRESS), labels={"a/b": "ü\u2028"}
    )
    version = Version(
        schedule=schedule.id,
        revision=1,
        since=START,
        definition=schedule.definition,
        held=False,
        rules="x",
    )
    return MovedSchedule(
        tenant=schedule.tenant,
        id=schedule.id,
        schedule=schedule,
        limit=3,
        definitions={1: schedule.definition},
        versions=(version,),
        pruned=Pruned(until=START, occurrences={RunState.FAILED: 3}, others={}),
        progress=(make_progress("run_x", percent=1.5),),
    )


def moved_run() -> MovedRun:
    run = make_run(token=2, result={"a": [None, 1.5]}, overrides={"b": "$c"})
    attempt = Attempt(
        number=1,
        token=1,
        state=AttemptState.FAILED,
        worker="wrk_x",
        worker_name="w",
        leased_at=START,
    )
    owed = FollowUp(
        tenant=run.tenant,
        schedule=run.schedule,
        run=run.id,
        attempt=1,
        kind=HookKind.ERROR,
        number=1,
        at=START,
    )
    return MovedRun(
        run=replace(run, attempts=(attempt,)),
        output={1: (make_chunk(bytes(range(256)), sequence=1),)},
        says={1: "it was\nthe disk"},
        follow_ups=(owed,),
    )


VALUES: list[Value] = [
    Header(format=1, crony="1.0", at=START, tenants=("a", "b"), secrets=True),
    make_tenant(name="a", max_concurrent=3, held=True),
    make_profile(name="slow"),
    make_group(name="etl", max_concurrent=0),
    make_key(),
    moved_schedule(),
    moved_run(),
    Runs(tenant="a"),
    make_webhook(types=("run.*",)),
    End(tenant=make_tenant(name="a")),
    Complete(at=START),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_line_is_read_back_as_it_was_written(value: Value) -> None:
    line = written(value, after="run_y")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    record = read(line)
    assert record == Record(value, "run_y")
    assert json.loads(line)["place"] == record.place


def test_a_deleted_schedule_moves_with_its_id_alone() -> None:
    whole = moved_schedule()
    item = replace(whole, schedule=None, versions=(), definitions={}, progress=())
    assert read(written(item)).value == item


def test_definitions_stand_in_a_line_once() -> None:
    line = written(moved_schedule()).decode()
    assert line.count('\\"trigger\\"') == 1


def changed(value: Value, *path: str | int, to: Any) -> bytes:
    """Return the line of a value with one member changed."""
    document = json.loads(written(value))
    place = document["value"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = to
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("line", "pointer", "detail"),
    [
        (b"[1]", "", "must be an object"),
        (b'{"kind": "cat"}', "/kind", "must be one of header"),
        (b'{"kind": ["run"]}', "/kind", "must be one of header"),
        (b'{"kind": "run"}', "/value", "must be an object"),
        (b'{"kind": "runs", "value": {}}', "/value", "lacks tenant"),
        (
            changed(make_key(), "role", to="emperor"),
            "/value",
            "is no key as an export has it",
        ),
        (
            changed(make_key(), "description", to=7),
            "/value/description",
            "must be text",
        ),
        (changed(make_group(), "name", to="A/B"), "/value/name", "is not a name"),
        (
            changed(make_tenant(), "max_concurrent", to=True),
            "/value/max_concurrent",
            "must be a whole number",
        ),
        (
            changed(make_tenant(), "max_concurrent", to=2**63),
            "/value/max_concurrent",
            "is too large a number",
        ),
        (
            changed(moved_run(), "run", "priority", to=1.5),
            "/value/run/priority",
            "must be a whole number",
        ),
        (
            changed(moved_run(), "run", "error", to="a\0b"),
            "/value/run/error",
            "must not hold a NUL character",
        ),
        (
            changed(moved_run(), "run", "due_at", to=10**30),
            "/value",
            "is no run as an export has it",
        ),
        (
            changed(moved_run(), "run", "policy", to="{}]"),
            "/value",
            "is no run as an export has it",
        ),
        (
            changed(moved_run(), "run", "policy", to='{"priority":"high"}'),
            "/value/run/policy/priority",
            "must be a whole number",
        ),
        (
            changed(moved_run(), "output", 0, 1, 0, "data", to="%%"),
            "/value",
            "is no run as an export has it",
        ),
        (
            changed(moved_run(), "output", 0, 0, to=7),
            "/value/output",
            "is of attempts that are not there",
        ),
        (
            changed(moved_run(), "run", "token", to=0),
            "/value/run/attempts",
            "must have tokens that grow up to the run's",
        ),
        (
            changed(replace(moved_run(), follow_ups=()), "run", "id", to="../x"),
            "/value/run/id",
            "is not the id of a run",
        ),
        (
            changed(moved_run(), "follow_ups", 0, "run", to="run_x"),
            "/value/follow_ups/0",
            "is of another run",
        ),
        (
            changed(moved_schedule(), "limit", to=-1),
            "/value/limit",
            "must not be below 0",
        ),
        (
            changed(moved_schedule(), "tenant", to="another"),
            "/value/schedule",
            "is another schedule",
        ),
        (
            changed(moved_schedule(), "definitions", to=[]),
            "/value",
            "is no schedule as an export has it",
        ),
        (
            changed(moved_schedule(), "versions", 0, "schedule", to="sch_x"),
            "/value/versions",
            "are of another schedule",
        ),
    ],
)
def test_what_is_odd_is_named(line: bytes, pointer: str, detail: str) -> None:
    with pytest.raises(errors.InvalidBody) as caught:
        read(line)
    (fault,) = caught.value.faults
    assert fault.pointer == pointer
    assert detail in fault.detail


@pytest.mark.parametrize("line", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused(line: bytes) -> None:
    with pytest.raises(errors.MalformedBody):
        read(line)


def test_all_faults_of_a_line_are_named_at_once() -> None:
    document = json.loads(written(moved_run()))
    document["value"]["run"]["priority"] = "high"
    document["value"]["run"]["queue"] = None
    with pytest.raises(errors.InvalidBody) as caught:
        read(json.dumps(document).encode())
    assert {fault.pointer for fault in caught.value.faults} == {
        "/value/run/priority",
        "/value/run/queue",
    }
