"""Policy in bodies: every field, its bounds, and what can't hold together."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from crony.api.bodies.faults import checked
from crony.api.bodies.policy import PolicyBody, contradictions
from crony.api.bodies.profile import ProfileBody
from crony.api.bodies.schedule import ScheduleBody
from crony.api.bodies.worker import WorkerBody
from crony.api.render import policy as render
from crony.model.policy import PolicySettings, resolve

EVERYTHING: dict[str, Any] = {
    "max_runtime": "6h",
    "grace": "5s",
    "max_concurrent": 3,
    "on_overlap": "replace",
    "misfire": "latest",
    "misfire_window": "2d",
    "retries": {
        "max": 2,
        "backoff": "10s",
        "factor": 2.0,
        "max_backoff": "1h",
        "randomize": False,
    },
    "max_lost": 7,
    "priority": -5,
    "deadline": "2h",
    "preemptible": True,
    "delivery": "at_least_once",
    "sandbox": {
        "level": "full",
        "network": "host",
        "memory": "4G",
        "cpu": 0.5,
        "pids": 99,
        "disk": "1G",
        "ro_paths": ["/srv"],
        "rw_paths": ["/var/tmp/x"],
        "pass_env": ["LANG"],
    },
    "retention": {"runs": 10, "age": "30d", "log": "2M"},
}


def settings_of(body: dict[str, Any]) -> PolicySettings:
    given, faults = checked(PolicyBody, body)
    assert not faults, faults
    assert given is not None
    return given.settings()


def detail_of(body: dict[str, Any], model: type[Any] = PolicyBody) -> str:
    _, faults = checked(model, body)
    (fault,) = faults
    return fault.detail


def test_what_is_written_is_read_as_it_was_written() -> None:
    assert set(EVERYTHING) == {field.name for field in fields(PolicySettings)}
    assert render.written(settings_of(EVERYTHING)) == EVERYTHING


def test_what_is_not_set_is_read_as_null() -> None:
    assert render.written(settings_of({})) == dict.fromkeys(EVERYTHING)
    part = {"retries": {"max": 1}, "retention": {"age": "1d"}}
    assert render.written(settings_of(part)) == {**dict.fromkeys(EVERYTHING), **part}


def test_each_field_that_holds_says_its_value_and_its_level_once() -> None:
    policy, sources = resolve(
        ("profile", settings_of({"deadline": "2h"})),
        ("schedule", settings_of({"retention": {"log": "2M"}})),
    )
    said = render.resolved(policy, sources)
    assert set(said) == set(EVERYTHING)
    assert said["deadline"] == {"value": "2h", "from": "profile"}
    assert said["misfire_window"] == {"value": "1d", "from": "built-in"}
    assert said["retention"] == {
        "value": {"runs": 1000, "age": "90d", "log": "2M"},
        "from": "schedule",
    }


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("on_overlap", "stop", '"queue", "skip", "replace" or "allow"'),
        ("misfire", "some", '"all", "latest" or "none"'),
        ("misfire_window", "-1s", "duration"),
        ("misfire_window", 5, "duration"),
        ("deadline", "0s", "out of 0.001s..36600d"),
        ("preemptible", 1, "true or false"),
        ("delivery", "exactly_once", '"at_least_once" or "at_most_once"'),
        ("max_concurrent", 0, "at least 1"),
    ],
)
def test_a_value_out_of_bounds_is_told_what_would_be_right(
    field: str, wrong: Any, right: str
) -> None:
    assert right in detail_of({field: wrong})


@pytest.mark.parametrize(
    ("member", "wrong", "right"),
    [
        ("runs", 0, "at least 1"),
        ("age", "0s", "out of 0.001s..36600d"),
        ("log", "1", "1K..64M"),
        ("log", "1T", "1K..64M"),
        ("log", 4096, "size"),
    ],
)
def test_retention_has_bounds(member: str, wrong: Any, right: str) -> None:
    _, (fault,) = checked(PolicyBody, {"retention": {member: wrong}})
    assert fault.pointer == f"/retention/{member}"
    assert right in fault.detail


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        (
            PolicyBody,
            {"sandbox": {"pass_env": ["1X"]}},
            '"1X" is not the name of a variable, such as "LANG"',
        ),
        (
            PolicyBody,
            {"sandbox": {"ro_paths": ["srv"]}},
            '"srv" is not an absolute path, such as "/srv/data"',
        ),
        (
            WorkerBody,
            {
                "name": "a",
                "machine": "no",
                "slots": 1,
                "sandbox_level": "full",
            },
            '"no" is not 8 to 128 hexadecimal digits, such as "3fa9c2d1"',
        ),
    ],
)
def test_a_text_that_misses_its_pattern_is_shown_one_that_fits(
    model: type[Any], body: dict[str, Any], expected: str
) -> None:
    assert detail_of(body, model) == expected


def test_a_shape_stands_in_the_schema() -> None:
    schema = WorkerBody.model_json_schema()["properties"]["machine"]
    assert schema["pattern"] == "^[0-9a-f]{8,128}$"
    assert schema["examples"] == ["3fa9c2d1"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"delivery": "at_most_once"}, set()),
        ({"delivery": "at_most_once", "retries": {"max": 0}}, set()),
        ({"delivery": "at_most_once", "preemptible": False}, set()),
        ({"delivery": "at_least_once", "retries": {"max": 1}}, set()),
        ({"delivery": "at_most_once", "retries": {"max": 1}}, {"/retries/max"}),
        (
            {
                "delivery": "at_most_once",
                "retries": {"max": 3},
                "preemptible": True,
            },
            {"/retries/max", "/preemptible"},
        ),
    ],
)
def test_at_most_once_refuses_what_would_start_a_run_again(
    body: dict[str, Any], expected: set[str]
) -> None:
    assert {f.pointer for f in contradictions(settings_of(body))} == expected


def test_a_profile_and_a_schedule_take_the_same_policy() -> None:
    profile, faults = checked(ProfileBody, {"description": "", **EVERYTHING})
    assert not faults
    assert profile is not None
    assert set(PolicyBody.model_fields) <= set(ScheduleBody.model_fields)
    assert profile.settings() == settings_of(EVERYTHING)
    assert profile.settings().misfire_window == timedelta(days=2)
