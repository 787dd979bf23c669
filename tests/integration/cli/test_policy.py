"""Policy, groups and profiles from the command line, with a real service."""

from __future__ import annotations

import json

import pytest

from crony.client import Client
from crony.model.task import JsonObject
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.xdist_group("cli-policy")


def holds(client: Client, name: str, field: str) -> tuple[object, object]:
    """Return the value of a policy field that holds, and where it is set."""
    policy = client.get_schedule(name)["policy"]
    assert isinstance(policy, dict)
    rule = policy[field]
    return rule["value"], rule["from"]


def test_policy_comes_from_the_schedule_its_group_and_its_profile(
    crony: Shell, client: Client
) -> None:
    crony("profiles", "set", "p-heavy", "--max-runtime", "6h", "--retries", "2").ok()
    crony("profiles", "set", "p-light", "--priority", "-5", "--grace", "3s").ok()
    crony("groups", "set", "p-reports", "--profile", "p-heavy").ok()
    crony(
        *("add", "p-all", "--every", "1h", "--group", "p-reports"),
        *("--profile", "p-light", "--deadline", "2h", "--on-overlap", "skip", "--"),
        "date",
    ).ok()
    assert holds(client, "p-all", "max_runtime") == ("6h", "group")
    assert holds(client, "p-all", "priority") == (-5, "profile")
    assert holds(client, "p-all", "deadline") == ("2h", "schedule")
    assert holds(client, "p-all", "misfire") == ("all", "built-in")

    out = crony("show", "p-all").ok()
    assert "max_runtime 6h (of the group)" in out
    assert "priority -5 (of the profile)" in out
    assert "; deadline 2h\n" in out
    assert "misfire" not in out


def test_a_profile_is_changed_member_by_member(crony: Shell, client: Client) -> None:
    crony("profiles", "set", "m", "--deadline", "1h", "--backoff", "5s").ok()
    crony("profiles", "set", "m", "--retries", "4", "--set", "deadline=null").ok()
    found = client.get_profile("m")
    assert found["retries"] == {"max": 4, "backoff": "5s"}
    assert found["deadline"] is None
    crony("profiles", "set", "m", "--file", "-", stdin='{"max_lost": 3}').ok()
    assert client.get_profile("m")["max_lost"] == 3
    assert "retries max=4, backoff=5s; max_lost 3" in crony("profiles").ok()
    crony("profiles", "rm", "m").ok()
    assert crony("profiles", "show", "m").code == 3


def test_contradictions_are_refused_with_all_their_fields(crony: Shell) -> None:
    done = crony(
        *("add", "c", "--every", "1h", "--delivery", "at_most_once", "--retries", "2"),
        *("--preemptible", "--group", "no-such-group", "--deadline", "soon"),
        *("--", "date"),
    )
    assert done.code == 1
    for field in ("group", "deadline"):
        assert f"  {field}: " in done.err, field
    done = crony(
        *("add", "c", "--every", "1h", "--delivery", "at_most_once", "--retries", "2"),
        *("--preemptible", "--", "date"),
    )
    for field in ("retries.max", "preemptible"):
        assert f"  {field}: " in done.err, field


def test_what_is_in_use_is_not_removed_and_named(crony: Shell) -> None:
    crony("profiles", "set", "u-p", "--retries", "1").ok()
    crony("groups", "set", "u-g", "--profile", "u-p", "--max-concurrent", "2").ok()
    crony("add", "u-s", "--every", "1h", "--group", "u-g", "--", "date").ok()
    done = crony("groups", "rm", "u-g")
    assert (done.code, "u-s" in done.err) == (1, True)
    done = crony("profiles", "rm", "u-p")
    assert (done.code, "u-g" in done.err) == (1, True)
    crony("rm", "u-s").ok()
    crony("groups", "rm", "u-g").ok()
    crony("profiles", "rm", "u-p").ok()


def test_a_group_is_paused_and_goes_on_as_a_whole(crony: Shell) -> None:
    crony("groups", "set", "night", "--description", "at night").ok()
    for name in ("n-one", "n-two"):
        crony("add", name, "--every", "1h", "--group", "night", "--", "date").ok()
    assert crony("groups", "pause", "night").ok() == "night: paused, 2 schedules\n"
    found = json.loads(crony("ls", "--group", "night", "--json").ok())["items"]
    assert {schedule["state"] for schedule in found} == {"paused"}
    shown = crony("groups", "show", "night").ok()
    assert "at night" in shown
    assert [line.split()[:3] for line in shown.splitlines()[-2:]] in (
        [["n-one", "night", "paused"], ["n-two", "night", "paused"]],
        [["n-two", "night", "paused"], ["n-one", "night", "paused"]],
    )
    done = crony("groups", "resume", "night", "--misfire", "latest")
    assert done.ok() == "night: active, 2 schedules\n"
    listed = [line.split()[:3] for line in crony("groups").ok().splitlines()]
    assert ["night", "active", "2"] in listed


def test_a_resume_says_which_of_the_skipped_run(crony: Shell, client: Client) -> None:
    crony("add", "caught", "--every", "1s", "--", "date").ok()
    crony("pause", "caught").ok()
    paused = str(client.get_schedule("caught")["updated_at"])
    # Time itself is what must pass; each look is a request.
    while str(client.why("caught")["occurrence"]) <= paused:
        pass
    skipped = str(client.why("caught")["occurrence"])
    assert crony("resume", "caught", "--misfire", "some").code == 2
    crony("resume", "caught", "--misfire", "all").ok()
    runs = client.list_runs("caught", since=skipped, limit=1000)["items"]
    assert isinstance(runs, list)
    states = {run["scheduled_for"]: run["state"] for run in runs}
    assert states[skipped] == "pending"
    crony("rm", "caught").ok()


def test_hooks_are_stored_and_shown(crony: Shell, client: Client) -> None:
    crony(
        *("add", "hooked", "--every", "1h", "--on-error", "echo bad", "--on-success"),
        *("true", "--progress-hook", "./p", "--progress-interval", "10s", "--", "date"),
    ).ok()
    hooks = client.get_schedule("hooked")["hooks"]
    assert isinstance(hooks, dict)
    assert hooks["error"]["task"]["command"] == "echo bad"
    assert hooks["progress"]["interval"] == "10s"
    shown = crony("show", "hooked").ok()
    assert "error: echo bad; progress every 10s: ./p; success: true" in shown


def test_a_webhook_is_made_changed_and_its_secret_shown_once(crony: Shell) -> None:
    made = crony(
        *("webhooks", "set", "alarm", "--url", "https://example.org/hook"),
        *("--type", "run.failed,worker.*"),
    )
    assert made.ok().splitlines()[-1].startswith("whsec_")
    changed = crony("webhooks", "set", "alarm", "--paused", "--json")
    found: JsonObject = json.loads(changed.ok())
    assert (found["paused"], found["url"]) == (True, "https://example.org/hook")
    assert found["types"] == ["run.failed", "worker.*"]
    assert found["secret"] is None
    assert "whsec_" not in crony("webhooks").ok()
    assert "nothing was sent" in crony("webhooks", "deliveries", "alarm").err
    crony("webhooks", "rm", "alarm").ok()
    assert crony("webhooks", "deliveries", "alarm").code == 3


def test_an_own_secret_comes_from_a_file_and_no_argument(crony: Shell) -> None:
    secret = "whsec_" + "QUFB" * 10
    made = crony(
        *("webhooks", "set", "own", "--url", "https://example.org/hook"),
        *("--secret-file", "-"),
        stdin=secret + "\n",
    )
    assert made.ok().splitlines()[-1] == secret
    missing = crony("webhooks", "set", "own", "--secret-file", "/no/such/file")
    assert (missing.code, "--secret-file" in missing.err) == (2, True)


def test_a_webhook_that_is_not_reached_is_said_so(crony: Shell) -> None:
    crony("webhooks", "set", "nobody", "--url", "https://nobody.invalid/").ok()
    done = crony("webhooks", "ping", "nobody")
    assert done.code == 1
    assert done.out.startswith("failed, ")
