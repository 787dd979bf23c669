"""Schedules over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.api.caller import ECHO, Caller, kind, pointers, unique

YEARLY = {"cron": "0 0 1 1 *", "task": ECHO}


def test_a_schedule_reads_back_as_it_was_written(tenant: Caller) -> None:
    body = {
        "name": "nightly",
        "description": "the report",
        "labels": {"team": "data"},
        "cron": "30 2 * * 1-5",
        "timezone": "Europe/Berlin",
        "dst": {"gap": "skip", "fold": "both"},
        "start_at": "2026-01-01T00:00:00.000Z",
        "end_at": "2090-01-01T00:00:00.000Z",
        "max_runs": 5,
        "jitter": "2s",
        "task": {
            "command": ["a", "b"],
            "env": {"A": "1"},
            "stdin": "x",
            "workdir": "sub",
        },
        "queue": "reports",
        "requires": {"os": "linux"},
        "max_runtime": "1h30m",
        "grace": "5s",
        "max_concurrent": 2,
        "group": "default",
        "profile": None,
        "on_overlap": "replace",
        "misfire": "latest",
        "misfire_window": "2h",
        "retries": {"max": 2, "backoff": "1s"},
        "max_lost": 3,
        "priority": 7,
        "deadline": "30m",
        "preemptible": True,
        "delivery": "at_least_once",
        "sandbox": {"memory": "1G", "cpu": 0.5},
        "retention": {"runs": 20, "log": "64K"},
        "paused": True,
    }
    made = tenant("POST", "/schedules", body)
    assert made.status_code == 201
    read = tenant("GET", made.headers["Location"])
    assert read.json() == made.json()
    assert read.headers["ETag"] == made.headers["ETag"] == '"1"'
    assert {name: read.json()[name] for name in body} == body
    assert read.json()["policy"]["max_runtime"] == {
        "value": "1h30m",
        "from": "schedule",
    }
    assert read.json()["policy"]["retries"]["value"]["max_backoff"] == "1h"
    assert read.json()["state"] == "paused"


def test_a_repeat_is_the_same_schedule_also_when_it_is_over(tenant: Caller) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=3)
    end_at = ends.isoformat(timespec="milliseconds")
    body = {"every": "1s", "end_at": end_at, "task": ECHO, "paused": True}
    named = {**body, "name": "brief"}
    first = tenant("POST", "/schedules", named)
    assert first.status_code == 201
    # Until the service would refuse it as over, if it were new.
    while tenant("POST", "/schedules", body).status_code == 201:
        assert datetime.now(UTC) < ends + timedelta(seconds=10)
    again = tenant("POST", "/schedules", named)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


def test_what_was_not_written_is_inherited(tenant: Caller) -> None:
    read = tenant.schedule()
    assert read["max_runtime"] is None
    assert read["policy"]["max_runtime"] == {"value": "1h", "from": "built-in"}
    assert read["name"] is None
    assert read["next_run_at"].endswith("-01-01T00:00:00.000Z")
    assert read["warnings"][0]["code"] == "no_worker"


def test_the_same_name_and_definition_again_is_the_same_schedule(
    tenant: Caller,
) -> None:
    first = tenant("POST", "/schedules", {"name": "a", **YEARLY})
    again = tenant("POST", "/schedules", {"name": "a", **YEARLY})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]


def test_a_taken_name_says_whose_it_is(tenant: Caller) -> None:
    first = tenant.schedule(name="a")
    answer = tenant("POST", "/schedules", {**YEARLY, "name": "a", "priority": 1})
    assert kind(answer) == (409, "name-taken")
    assert answer.headers["Location"] == f"/schedules/{first['id']}"


def test_a_put_creates_under_the_name_of_its_path(tenant: Caller) -> None:
    made = tenant("PUT", "/schedules/b", YEARLY)
    assert (made.status_code, made.json()["name"]) == (201, "b")
    again = tenant("PUT", "/schedules/b", YEARLY)
    assert (again.status_code, again.json()["revision"]) == (200, 1)
    other = tenant("PUT", "/schedules/c", {**YEARLY, "name": "d"})
    assert pointers(other) == {"/name"}
    assert tenant("PUT", f"/schedules/sch_{'0' * 26}", YEARLY).status_code == 404


def test_what_is_read_can_be_edited_and_put_back(tenant: Caller) -> None:
    read = tenant.schedule(name="a", every="90s", retries={"max": 1})
    same = tenant("PUT", "/schedules/a", read)
    assert (same.status_code, same.json()["revision"]) == (200, 1)
    changed = tenant("PUT", f"/schedules/{read['id']}", {**read, "priority": 3})
    assert (changed.json()["revision"], changed.json()["priority"]) == (2, 3)


def test_what_is_over_can_still_be_put_back(tenant: Caller) -> None:
    read = tenant.schedule(name="a", at="now")
    done = tenant("PUT", "/schedules/a", {**read, "description": "kept"})
    assert (done.status_code, done.json()["description"]) == (200, "kept")


def test_a_patch_merges_and_null_removes(tenant: Caller) -> None:
    tenant.schedule(
        name="a", retries={"max": 1, "backoff": "1s"}, labels={"x": "1", "y": "2"}
    )
    patch = {"labels": {"x": None, "z": "3"}, "retries": None, "description": "new"}
    answer = tenant(
        "PATCH",
        "/schedules/a",
        patch,
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text
    read = answer.json()
    assert read["labels"] == {"y": "2", "z": "3"}
    assert (read["retries"], read["description"]) == (None, "new")
    assert read["revision"] == 2


def test_a_patch_changes_one_trigger_for_another(tenant: Caller) -> None:
    tenant.schedule(name="a")
    both = tenant("PATCH", "/schedules/a", {"every": "5m"})
    assert pointers(both) == {""}
    one = tenant("PATCH", "/schedules/a", {"every": "5m", "cron": None})
    assert one.json()["every"] == "5m"
    assert "cron" not in one.json()


def test_a_write_insists_on_its_revision(tenant: Caller) -> None:
    tenant.schedule(name="a")
    first, second = {"If-Match": '"1"'}, {"If-Match": '"2"'}
    change = {"priority": 1}
    assert tenant("PATCH", "/schedules/a", change, headers=first).status_code == 200
    late = tenant("PATCH", "/schedules/a", {"priority": 2}, headers=first)
    assert kind(late) == (412, "revision")
    late = tenant("PUT", "/schedules/a", YEARLY, headers=first)
    assert kind(late) == (412, "revision")
    assert kind(tenant("DELETE", "/schedules/a", headers=first))[0] == 412
    weak = tenant("DELETE", "/schedules/a", headers={"If-Match": 'W/"2"'})
    assert kind(weak) == (412, "revision")
    assert 'send the strong one, such as "2" without W/' in weak.json()["detail"]
    none = tenant("PUT", "/schedules/none", YEARLY, headers={"If-Match": "*"})
    assert kind(none)[0] == 412
    exists = tenant("PUT", "/schedules/a", YEARLY, headers={"If-None-Match": "*"})
    assert kind(exists)[0] == 412
    broken = tenant("DELETE", "/schedules/a", headers={"If-Match": "2"})
    assert kind(broken) == (400, "invalid-parameter")
    assert tenant("DELETE", "/schedules/a", headers=second).status_code == 204
    assert kind(tenant("GET", "/schedules/a")) == (404, "not-found")


def test_a_read_of_what_is_known_is_not_repeated(tenant: Caller) -> None:
    tenant.schedule(name="a")
    known = tenant("GET", "/schedules/a", headers={"If-None-Match": '"1"'})
    assert (known.status_code, known.content) == (304, b"")
    tenant("PATCH", "/schedules/a", {"priority": 1})
    new = tenant("GET", "/schedules/a", headers={"If-None-Match": '"1"'})
    assert new.status_code == 200


def test_pause_and_resume_are_revisions_only_when_they_change_something(
    tenant: Caller,
) -> None:
    tenant.schedule(name="a")
    assert tenant.made("/schedules/a/resume")["revision"] == 1
    assert tenant.made("/schedules/a/pause", {})["state"] == "paused"
    assert tenant.made("/schedules/a/pause")["revision"] == 2
    assert tenant.made("/schedules/a/resume", {"misfire": "all"})["state"] == "active"
    refused = tenant("POST", "/schedules/a/resume", {"misfire": "some"})
    assert pointers(refused) == {"/misfire"}
    refused = tenant("POST", "/schedules/a/pause", {"misfire": "all"})
    assert pointers(refused) == {"/misfire"}


def test_a_manual_run_carries_its_overrides(tenant: Caller) -> None:
    tenant.schedule(name="a")
    body = {"task": {"env": {"LEVEL": "debug"}, "args": ["x"]}}
    answer = tenant("POST", "/schedules/a/run", body)
    assert answer.status_code == 202
    run = tenant.got(answer.headers["Location"])
    assert (run["origin"], run["state"]) == ("manual", "pending")
    wrong = tenant("POST", "/schedules/a/run", {"task": {"args": [1], "argv": []}})
    assert pointers(wrong) == {"/task/argv"}
    assert pointers(tenant("POST", "/schedules/a/run", {"task": {"args": [1]}})) == {
        "/task/args/0"
    }


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["x"] * 4097, "at most 4096 are taken"),
        (["x" * 70_000, "y" * 70_000], "has 140000 bytes; at most 128 KiB"),
        # As much as there is room for, but not beside the command itself.
        (["x" * 131_072], "with these the command has 131077 bytes; at most 128 KiB"),
    ],
)
def test_arguments_that_no_system_would_take_are_refused_by_name(
    tenant: Caller, args: list[str], said: str
) -> None:
    tenant.schedule(name="a", task={"command": ["echo", "a"]})
    refused = tenant("POST", "/schedules/a/run", {"task": {"args": args}})
    assert pointers(refused) == {"/task/args"}
    assert said in refused.json()["errors"][0]["detail"]
    room = {"task": {"args": ["x" * (131_072 - 5)]}}
    assert tenant("POST", "/schedules/a/run", room).status_code == 202


def test_a_preview_saves_nothing_and_shows_what_a_schedule_would_do(
    tenant: Caller,
) -> None:
    body = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 400}
    shown = tenant.made("/preview", body)
    assert shown["description"] == "At 02:30 (Europe/Berlin)"
    assert len(shown["upcoming"]) == 400
    # The spring gap of the year: 02:30 does not exist, so it fires at 03:00.
    (shifted,) = [item for item in shown["upcoming"] if item["note"]]
    assert (shifted["note"], shifted["local"][11:]) == ("shifted", "03:00:00+02:00")
    assert tenant.got("/schedules")["items"] == []
    tenant.schedule(name="a", **{k: v for k, v in body.items() if k != "count"})
    real = tenant.got("/schedules/a/upcoming?count=400")
    assert real["items"] == shown["upcoming"]


def test_a_preview_of_a_drawn_instant_needs_the_name(tenant: Caller) -> None:
    assert pointers(tenant("POST", "/preview", {"every": "day"})) == {"/name"}
    body = {"every": "day", "name": "backup"}
    shown = tenant.made("/preview", {**body, "count": 1})["upcoming"]
    tenant.schedule(**body)
    assert tenant.got("/schedules/backup/upcoming?count=1")["items"] == shown


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("queue=special", ["one"]),
        ("group=other", ["three"]),
        ("group=none", []),
        ("label=team:data", ["two"]),
        ("state=paused", ["three"]),
        ("trigger=every", ["two"]),
        ("q=WO", ["two"]),
        ("sort=name", ["one", "three", "two"]),
        ("failing=true", []),
    ],
)
def test_schedules_are_filtered(
    filtered: Caller, query: str, expected: list[str]
) -> None:
    items = filtered.got(f"/schedules?{query}")["items"]
    names = [item["name"] for item in items]
    assert names == expected if "sort" in query else sorted(names) == expected


@pytest.fixture(scope="module")
def filtered(admin: Caller) -> Caller:
    tenant = admin.new_tenant()
    tenant.schedule(name="one", queue="special")
    tenant.schedule(name="two", every="1h", labels={"team": "data"})
    assert tenant("PUT", "/groups/other", {}).status_code == 201
    tenant.schedule(name="three", paused=True, group="other")
    return tenant


def test_a_quota_of_schedules_is_kept(admin: Caller) -> None:
    name = unique("t")
    admin("PUT", f"/tenants/{name}", {"quotas": {"schedules": 1}})
    tenant = admin.in_tenant(name)
    tenant.schedule()
    answer = tenant("POST", "/schedules", YEARLY)
    assert kind(answer) == (429, "quota")
    assert int(answer.headers["Retry-After"]) >= 1
