"""Every error has an exit code, a text and a next step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import click
import pytest

from crony import errors
from crony.cli.failures import NEXT, exit_code, explain, run


def tree(kind: type[errors.CronyError]) -> Iterator[type[errors.CronyError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


def refused(status: int, kind: str, **problem: object) -> errors.Refused:
    body = {"type": f"urn:crony:problem:{kind}", "title": kind, **problem}
    return errors.Refused(status, body)


@pytest.mark.parametrize(
    "kind",
    # Each once and in one order, so that all processes of a session collect the same.
    dict.fromkeys(tree(errors.CronyError)),
    ids=lambda k: f"{k.__module__}.{k.__name__}",
)
def test_every_error_has_an_exit_code(kind: type[errors.CronyError]) -> None:
    # Made without its arguments: the code is a matter of the kind alone.
    failure = kind.__new__(kind)
    if isinstance(failure, errors.Refused):
        failure.status = 500
    assert exit_code(failure) in {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (errors.ServiceUnreachable("x"), 5),
        (errors.MissingSafeguard("x"), 6),
        (errors.StoreUnavailable("x", retry_after=timedelta(seconds=1)), 5),
        (errors.StoreUnusable("x"), 1),
        (errors.StoreUnsafe("x"), 6),
        (errors.InvalidSetting("--bind", "bind", "x"), 2),
        (errors.NotFound("schedule", "x"), 3),
        (errors.Unauthenticated("x"), 4),
        (refused(401, "no-key"), 4),
        (refused(403, "role"), 4),
        (refused(404, "not-found"), 3),
        (refused(409, "name-taken"), 1),
        (refused(422, "invalid-body"), 1),
        (refused(503, "store-unavailable"), 1),
    ],
)
def test_exit_codes_are_the_documented_ones(
    failure: errors.CronyError, code: int
) -> None:
    assert exit_code(failure) == code


def test_all_faults_of_a_body_are_named_by_their_fields() -> None:
    faults = [
        {"pointer": "/cron", "detail": "minute 61 is out of 0..59"},
        {"pointer": "/task/env/A~1B", "detail": "is not the name of a variable"},
        {"parameter": "limit", "detail": "is out of 1..1000"},
        {"pointer": "", "detail": "must have a task"},
    ]
    said = explain(refused(422, "invalid-body", detail="4 faults", errors=faults))
    assert said == [
        "4 faults",
        "  cron: minute 61 is out of 0..59",
        "  task.env.A/B: is not the name of a variable",
        "  limit: is out of 1..1000",
        "  the body: must have a task",
        f"next: {NEXT['invalid-body']}",
    ]


def test_what_is_wrong_with_a_lone_parameter_is_said_once() -> None:
    faults = [{"parameter": "since", "detail": '"x" is no instant'}]
    failure = refused(
        400, "invalid-parameter", detail='"since": "x" is no instant.', errors=faults
    )
    said = explain(failure)
    assert said == ['"since": "x" is no instant.', f"next: {NEXT['invalid-parameter']}"]


def test_a_setting_that_came_as_an_option_is_named_once() -> None:
    assert explain(errors.InvalidSetting("--bind", "bind", "x")) == ["--bind: x"]
    assert explain(errors.InvalidSetting("a.conf", "bind", "x")) == ["a.conf: bind: x"]


@pytest.mark.parametrize(("status", "kind"), [(401, "no-key"), (404, "not-found")])
def test_a_refused_worker_is_told_what_helps_a_worker(status: int, kind: str) -> None:
    said = explain(refused(status, kind), "crony-worker")[-1]
    assert "crony-worker register" in said
    assert said != explain(refused(status, kind))[-1]


def test_a_refusal_for_now_says_when_to_come_back() -> None:
    body = {"type": "urn:crony:problem:rate", "detail": "too many"}
    failure = errors.Refused(429, body, retry_after=timedelta(seconds=3))
    assert explain(failure)[-1] == f"next: {NEXT['rate']} (after 3 s)"


def test_every_problem_of_the_service_has_a_next_step() -> None:
    from crony.api import problems

    types = {kind.name for kind in problems.TABLE.values()}
    # What no well-behaved client meets is left to the general advice.
    ours = types - {"internal", "method-not-allowed", "not-acceptable"}
    assert types
    assert ours <= NEXT.keys()


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (errors.MissingSafeguard("install bubblewrap"), 6, "install bubblewrap"),
        (click.UsageError("wrong"), 2, "wrong"),
        (click.Abort(), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (errors.Conflict("bad \x1b[2J text"), 1, "bad \\x1b[2J text"),
    ],
)
def test_a_program_ends_with_a_message_and_never_a_trace(
    raised: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise raised

    assert run(failing, "crony", []) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def test_a_command_decides_its_own_exit_code() -> None:
    @click.command()
    @click.pass_context
    def ending(context: click.Context) -> None:
        context.exit(7)

    assert run(ending, "crony", []) == 7
