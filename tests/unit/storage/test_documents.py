"""Values become plain documents, and come back as they were."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from crony.model.hook import FollowUp, HookKind
from crony.model.moving import MovedRun, MovedSchedule, Pruned
from crony.model.policy import PolicySettings, SandboxSettings
from crony.model.run import Attempt, Run
from crony.model.schedule import Version
from crony.model.state import AttemptState, Reason, RunState
from crony.storage.documents import document_in, document_out
from crony.testing import factories
from crony.testing.clock import START

SCHEDULE = factories.make_schedule(
    labels={"a.b$c": "d"}, policy=PolicySettings(sandbox=SandboxSettings(memory=1))
)
ATTEMPT = Attempt(
    number=1,
    token=2,
    state=AttemptState.FAILED,
    reason=Reason.EXIT,
    worker="wrk_1",
    worker_name="host-a",
    leased_at=START,
    lateness=timedelta(microseconds=1200),
    limits={"memory": "512M"},
)
RUN = factories.make_run(
    SCHEDULE,
    hooks=frozenset(HookKind),
    hook_interval=timedelta(seconds=30),
    result=[1, {"a.b": None}],
    overrides={"args": ["x"]},
    progress=factories.make_progress("run_1"),
    attempts=(ATTEMPT,),
)
EVENT = factories.make_event(run=RUN, data={"id": "x"})
FOLLOW_UP = FollowUp(
    tenant=RUN.tenant,
    schedule=RUN.schedule,
    run=RUN.id,
    attempt=1,
    kind=HookKind.ERROR,
    number=1,
    at=START,
)
VERSION = Version(
    schedule=SCHEDULE.id,
    revision=1,
    since=START,
    definition=SCHEDULE.definition,
    held=False,
    rules="",
)
VALUES = [
    SCHEDULE,
    RUN,
    EVENT,
    factories.make_worker(),
    factories.make_key(),
    factories.make_tenant(),
    factories.make_group(),
    factories.make_profile(),
    factories.make_webhook(types=("run.*",)),
    factories.make_delivery(factories.make_webhook(), EVENT),
    factories.make_answer(),
    MovedSchedule(
        tenant=SCHEDULE.tenant,
        id=SCHEDULE.id,
        schedule=SCHEDULE,
        limit=1,
        definitions={1: SCHEDULE.definition},
        versions=(VERSION,),
        pruned=Pruned(until=START, occurrences={RunState.FAILED: 2}, others={}),
        progress=(factories.make_progress("run_1"),),
    ),
    MovedRun(
        run=RUN,
        output={2: (factories.make_chunk(b"\xff"),)},
        says={2: "fine"},
        follow_ups=(FOLLOW_UP,),
    ),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was(value: Run) -> None:
    assert document_in(type(value), document_out(value)) == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_document_is_plain_and_keyed_by_names_of_ours_alone(value: Run) -> None:
    def check(part: object) -> None:
        if isinstance(part, dict):
            assert all(name.isidentifier() for name in part)
            part = list(part.values())
        if isinstance(part, list):
            for item in part:
                check(item)
        else:
            assert type(part) in (type(None), bool, int, float, str, bytes)

    document = document_out(value)
    assert list(document) == [f.name for f in fields(value)]
    check(document)


def test_a_document_of_another_release_is_read_as_far_as_it_goes() -> None:
    document = document_out(RUN)
    document["since_then"] = 1
    del document["catch_up"], document["progress"]
    assert document_in(Run, document) == replace(RUN, catch_up=False, progress=None)


def test_what_people_write_is_text() -> None:
    document = document_out(RUN)
    assert json.loads(str(document["result"])) == [1, {"a.b": None}]
    assert document_out(replace(RUN, result=None))["result"] is None
