"""Batches of schedules over HTTP: created or replaced, each judged by itself."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.api.caller import ECHO, Caller, kind, pointers, unique

YEARLY = {"cron": "0 0 1 1 *", "task": ECHO}
JSON = {"Content-Type": "application/json"}


def batch(caller: Caller, *items: Any, **more: Any) -> list[Any]:
    """Send a batch that must be taken; return the results."""
    answer = caller("POST", "/schedules:batch", {"schedules": list(items)}, **more)
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.json()["results"]
    return results


def test_a_batch_creates_and_replaces_by_name_in_order(tenant: Caller) -> None:
    kept = tenant.schedule(name="kept")
    changed = tenant.schedule(name="changed")
    results = batch(
        tenant,
        {**YEARLY, "name": "new"},
        {**YEARLY, "name": "changed", "priority": 3},
        {**YEARLY, "name": "kept"},
        YEARLY,
        {**YEARLY, "name": "new", "priority": 4},
    )
    assert [result["status"] for result in results] == [201, 200, 200, 201, 200]
    new, other, same, nameless, again = (result["schedule"] for result in results)
    assert (other["id"], other["revision"]) == (changed["id"], 2)
    assert (same["id"], same["revision"]) == (kept["id"], 1)
    assert nameless["name"] is None
    assert (again["id"], again["priority"]) == (new["id"], 4)
    assert tenant.got("/schedules/new") == again
    assert tenant.got(f"/schedules/{nameless['id']}") == nameless
    assert len(tenant.got("/schedules")["items"]) == 4


def test_what_was_listed_can_be_edited_and_sent_as_a_batch(tenant: Caller) -> None:
    for name in ("a", "b"):
        tenant.schedule(name=name)
    items = tenant.got("/schedules")["items"]
    results = batch(tenant, *[{**item, "priority": 5} for item in items])
    assert [result["status"] for result in results] == [200, 200]
    assert {item["priority"] for item in tenant.got("/schedules")["items"]} == {5}


def test_an_item_with_faults_spoils_no_other(tenant: Caller) -> None:
    results = batch(
        tenant,
        {**YEARLY, "name": "good"},
        {"cron": "61 * * * *", "nme": "x", "group": "none"},
        "text",
        {**YEARLY, "description": "a\0b"},
        {**YEARLY, "at": "2001-01-01T00:00:00Z", "cron": None},
        {**YEARLY, "name": ["good"]},
    )
    assert [result["status"] for result in results] == [201] + [422] * 5
    said = [
        [fault["pointer"] for fault in result["problem"]["errors"]]
        for result in results[1:]
    ]
    assert sorted(said[0]) == [
        f"/schedules/1/{m}" for m in ("cron", "group", "nme")
    ] + ["/schedules/1/task"]
    assert said[1:] == [
        ["/schedules/2"],
        ["/schedules/3/description"],
        ["/schedules/4/at"],
        ["/schedules/5/name"],
    ]
    (only,) = tenant.got("/schedules")["items"]
    assert only["name"] == "good"


def test_what_joins_a_paused_group_in_a_batch_is_paused(tenant: Caller) -> None:
    tenant("PUT", "/groups/still", {"paused": True})
    item = {**YEARLY, "group": "still"}
    results = batch(tenant, item, YEARLY, {**item, "name": "a"})
    states = [result["schedule"]["state"] for result in results]
    assert states == ["paused", "active", "paused"]


def test_what_is_due_at_once_in_a_batch_has_its_run(tenant: Caller) -> None:
    results = batch(tenant, *[{"at": "now", "task": ECHO, "name": n} for n in "abc"])
    for result in results:
        (run,) = tenant.got(f"/schedules/{result['schedule']['id']}/runs")["items"]
        assert run["state"] == "pending"


def test_a_quota_that_is_reached_refuses_the_rest(admin: Caller) -> None:
    name = unique("t")
    admin("PUT", f"/tenants/{name}", {"quotas": {"schedules": 2}})
    tenant = admin.in_tenant(name)
    results = batch(tenant, *[{**YEARLY, "name": f"n{n}"} for n in range(4)])
    assert [result["status"] for result in results] == [201, 201, 429, 429]
    assert results[2]["problem"]["type"] == "urn:crony:problem:quota"


def test_the_same_batch_under_one_key_is_done_once(tenant: Caller) -> None:
    headers = {"Idempotency-Key": unique("k")}
    items = (YEARLY, {**YEARLY, "name": "a"}, {})
    first = batch(tenant, *items, headers=headers)
    assert batch(tenant, *items, headers=headers) == first
    assert [result["status"] for result in first] == [201, 201, 422]
    assert len(tenant.got("/schedules")["items"]) == 2
    other = tenant("POST", "/schedules:batch", {"schedules": [{}]}, headers=headers)
    assert kind(other) == (422, "key-reused")


def test_a_batch_has_bounds(tenant: Caller) -> None:
    for wrong in ({}, {"schedules": []}, {"schedules": [{}] * 1001}):
        assert pointers(tenant("POST", "/schedules:batch", wrong)) == {"/schedules"}
    over = {"schedules": [{}], "more": 1}
    assert pointers(tenant("POST", "/schedules:batch", over)) == {"/more"}
    large = json.dumps({"schedules": [{**YEARLY, "description": "x" * (2 << 20)}]})
    answer = tenant("POST", "/schedules:batch", data=large, headers=JSON)
    assert answer.status_code == 200
    assert answer.json()["results"][0]["status"] == 422
    huge = b'{"schedules": ["' + b"x" * (16 << 20) + b'"]}'
    answer = tenant("POST", "/schedules:batch", data=huge, headers=JSON)
    assert kind(answer) == (413, "too-large")


def test_a_thousand_schedules_go_in_one_batch(tenant: Caller) -> None:
    results = batch(tenant, *[{**YEARLY, "name": f"n{n}"} for n in range(1000)])
    assert {result["status"] for result in results} == {201}
    assert [result["schedule"]["name"] for result in results[::300]] == [
        "n0",
        "n300",
        "n600",
        "n900",
    ]
