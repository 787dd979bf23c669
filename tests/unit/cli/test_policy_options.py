"""What options of policy make of what is typed, and that they know the API's words."""

from __future__ import annotations

from typing import get_args

import click
import pytest

from crony.api.bodies import policy
from crony.api.bodies.profile import LIVE_OF_PROFILE, ProfileBody
from crony.api.bodies.schedule import LIVE
from crony.cli import editor, policy_options, profiles
from crony.cli.edit import _patch_of
from crony.cli.schedule_options import OPTIONS, body_of
from crony.model.task import Json


def typed(*argv: str) -> dict[str, Json]:
    """Return what the options of a schedule are after these were typed."""
    seen: dict[str, Json] = {}

    @click.command()
    @click.argument("command", nargs=-1)
    def command(**said: Json) -> None:
        seen.update(said)

    for option in OPTIONS:
        option(command)
    command.main(list(argv), standalone_mode=False)
    return seen


def test_words_are_those_of_the_api() -> None:
    assert get_args(policy.OnOverlap) == policy_options.ON_OVERLAP
    assert get_args(policy.Misfire) == policy_options.MISFIRE
    assert get_args(policy.Delivery) == policy_options.DELIVERY


def test_every_member_of_a_policy_has_an_option() -> None:
    options = {option(lambda: None).__click_params__[0].name for option in OPTIONS}
    assert set(policy.PolicyBody.model_fields) <= options


def test_what_is_read_besides_a_definition_is_known() -> None:
    assert editor.LIVE == LIVE
    assert (
        LIVE_OF_PROFILE
        | (set(ProfileBody.model_fields) - set(policy.PolicyBody.model_fields))
        == profiles.BESIDE
    )


def test_policy_has_its_parts_as_json_has_them() -> None:
    body = body_of(
        typed(
            *("--retries", "3", "--backoff", "5s", "--max-backoff", "1h"),
            *("--sandbox", "cpu=1.5", "--sandbox", "ro_paths=/srv,/etc"),
            *("--retention", "runs=5", "--retention", "age=30d"),
            *("--no-preemptible", "--delivery", "at_least_once", "--priority", "0"),
            *("--deadline", "2h", "--misfire", "latest", "--on-overlap", "skip"),
        )
    )
    assert body == {
        "retries": {"max": 3, "backoff": "5s", "max_backoff": "1h"},
        "sandbox": {"cpu": 1.5, "ro_paths": ["/srv", "/etc"]},
        "retention": {"runs": 5, "age": "30d"},
        "preemptible": False,
        "delivery": "at_least_once",
        "priority": 0,
        "deadline": "2h",
        "misfire": "latest",
        "on_overlap": "skip",
    }


def test_what_is_not_said_is_left_out() -> None:
    assert body_of(typed()) == {}


def test_hooks_are_lines_of_shell() -> None:
    body = body_of(
        typed(
            *("--on-error", "mail -s bad x", "--on-success", "true"),
            *("--progress-hook", "./p", "--progress-interval", "10s"),
        )
    )
    assert body["hooks"] == {
        "error": {"task": {"command": "mail -s bad x"}},
        "success": {"task": {"command": "true"}},
        "progress": {"task": {"command": "./p"}, "interval": "10s"},
    }


def test_an_interval_needs_its_hook() -> None:
    with pytest.raises(click.UsageError, match="needs a --progress-hook"):
        body_of(typed("--progress-interval", "10s"))


def test_an_edit_replaces_a_trigger_and_a_task_of_another_kind() -> None:
    patch = _patch_of(typed("--every", "5m", "--env", "A=1", "date"))
    assert (patch["every"], patch["cron"], patch["at"]) == ("5m", None, None)
    task = patch["task"]
    assert isinstance(task, dict)
    assert (task["command"], task["env"]) == (["date"], {"A": "1"})
    assert (task["script"], task["http"], task["kwargs"]) == (None, None, None)


def test_an_edit_to_two_triggers_is_wrong_usage() -> None:
    with pytest.raises(click.UsageError, match="in one way"):
        _patch_of(typed("--every", "5m", "--at", "now"))
