"""Profiles over HTTP: named policy, and what a change of it does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.caller import Caller, kind, pointers
from tests.unit.api.test_policy import EVERYTHING


def test_a_profile_reads_back_as_it_was_written(tenant: Caller) -> None:
    body = {"description": "all of it", **EVERYTHING}
    made = tenant("PUT", "/profiles/heavy", body)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert made.headers["Location"] == "/profiles/heavy"
    read = tenant("GET", "/profiles/heavy")
    assert read.json() == made.json()
    assert {name: read.json()[name] for name in body} == body
    assert read.json()["used_by"] == {"schedules": 0, "groups": 0, "tenants": 0}
    same = tenant("PUT", "/profiles/heavy", read.json())
    assert (same.status_code, same.json()["revision"]) == (200, 1)
    known = tenant("GET", "/profiles/heavy", headers={"If-None-Match": '"1"'})
    assert (known.status_code, known.content) == (304, b"")
    assert tenant.got("/profiles")["items"] == [read.json()]


def test_a_member_that_a_put_leaves_out_is_set_no_longer(tenant: Caller) -> None:
    tenant("PUT", "/profiles/heavy", EVERYTHING)
    changed = tenant("PUT", "/profiles/heavy", {"max_runtime": "2h"}).json()
    assert (changed["revision"], changed["max_runtime"]) == (2, "2h")
    assert {changed[name] for name in EVERYTHING if name != "max_runtime"} == {None}


def test_all_faults_of_a_profile_come_at_once(tenant: Caller) -> None:
    body = {
        "delivery": "at_most_once",
        "retries": {"max": 2},
        "preemptible": True,
    }
    answer = tenant("PUT", "/profiles/a", body)
    assert pointers(answer) == {"/retries/max", "/preemptible"}
    body = {"deadlin": "2h", "retention": {"log": "1"}, "misfire": 5}
    answer = tenant("PUT", "/profiles/-", body)
    assert pointers(answer) == {"", "/deadlin", "/retention/log", "/misfire"}
    assert kind(tenant("GET", "/profiles/a")) == (404, "not-found")


def test_a_write_of_a_profile_insists_on_its_revision(tenant: Caller) -> None:
    tenant("PUT", "/profiles/a", {})
    tenant("PUT", "/profiles/a", {"priority": 1})
    first = {"If-Match": '"1"'}
    assert kind(tenant("PUT", "/profiles/a", {}, headers=first)) == (412, "revision")
    assert kind(tenant("DELETE", "/profiles/a", headers=first)) == (412, "revision")
    either = {"If-Match": '"1", "2"'}
    assert tenant("DELETE", "/profiles/a", headers=either).status_code == 204


def test_a_profile_in_use_stays_and_says_who_uses_it(tenant: Caller) -> None:
    tenant("PUT", "/profiles/heavy", {})
    tenant("PUT", "/groups/reports", {"profile": "heavy"})
    tenant.schedule(name="nightly", profile="heavy")
    read = tenant.got("/profiles/heavy")
    assert read["used_by"] == {"schedules": 1, "groups": 1, "tenants": 0}
    answer = tenant("DELETE", "/profiles/heavy")
    assert kind(answer) == (409, "in-use")
    assert "nightly" in answer.json()["detail"]
    assert "reports" in answer.json()["detail"]
    tenant("PUT", "/groups/reports", {})
    tenant("PATCH", "/schedules/nightly", {"profile": None})
    assert tenant("DELETE", "/profiles/heavy").status_code == 204


@pytest.mark.parametrize("level", ["profile", "group", "tenant"])
def test_a_change_of_a_profile_holds_at_once_wherever_it_is_named(
    tenant: Caller, level: str
) -> None:
    tenant("PUT", "/profiles/heavy", {"priority": 1})
    members: dict[str, Any] = {}
    if level == "profile":
        members = {"profile": "heavy"}
    elif level == "group":
        tenant("PUT", "/groups/default", {"profile": "heavy"})
    else:
        path = f"/tenants/{tenant.headers['X-Crony-Tenant']}"
        assert tenant("PUT", path, {"profile": "heavy"}).status_code == 200
    # Due every second: some of its runs are made ahead at any time.
    schedule = tenant.schedule(name="a", every="1s", **members)
    assert schedule["policy"]["priority"] == {"value": 1, "from": level}
    tenant("PUT", "/profiles/heavy", {"priority": 2})
    read = tenant.got("/schedules/a")
    assert read["revision"] == 1
    assert read["policy"]["priority"] == {"value": 2, "from": level}
    changed = tenant.got("/profiles/heavy")["updated_at"]
    ahead = tenant.got(f"/schedules/a/runs?state=pending&since={changed}")["items"]
    assert {run["priority"] for run in ahead if run["due_at"] > changed} <= {2}
    assert ahead
