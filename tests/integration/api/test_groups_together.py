"""Groups under many hands: nothing ends between two of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.integration.api.caller import ECHO, Caller, kind

YEARLY = {"cron": "0 0 1 1 *", "task": ECHO}


def test_whoever_joins_a_group_while_it_is_paused_and_resumed_ends_as_it_is(
    tenant: Caller,
) -> None:
    assert tenant("PUT", "/groups/g", {}).status_code == 201

    def join(n: int) -> requests.Response:
        body = {**YEARLY, "name": f"n{n}"}
        if n % 3:
            return tenant("POST", "/schedules/g/tasks", body)
        tenant("POST", "/schedules", body)
        return tenant("PATCH", f"/schedules/n{n}", {"group": "g"})

    def turn(n: int) -> requests.Response:
        return tenant("POST", f"/groups/g/{'resume' if n % 2 else 'pause'}")

    with ThreadPoolExecutor(6) as pool:
        joined = [pool.submit(join, n) for n in range(24)]
        turned = [pool.submit(turn, n) for n in range(8)]
        answers = [each.result() for each in (*joined, *turned)]
    assert {answer.status_code for answer in answers} <= {200, 201}
    tenant.made("/groups/g/pause")
    listed = tenant.got("/schedules/g/tasks")["items"]
    assert len(listed) == 24
    assert {item["state"] for item in listed} == {"paused"}
    tenant.made("/groups/g/resume")
    assert {i["state"] for i in tenant.got("/schedules/g/tasks")["items"]} == {"active"}


def test_no_schedule_is_left_in_a_group_that_is_gone(tenant: Caller) -> None:
    def make_and_remove(n: int) -> None:
        path = f"/groups/g{n % 4}"
        tenant("PUT", path, {})
        answer = tenant("POST", "/schedules", {**YEARLY, "group": f"g{n % 4}"})
        assert answer.status_code in (201, 422), answer.text
        removed = tenant("DELETE", path)
        assert removed.status_code in (204, 404, 409), removed.text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make_and_remove, range(40)))
    there = {group["name"] for group in tenant.got("/groups")["items"]}
    named = {item["group"] for item in tenant.got("/schedules")["items"]}
    assert named
    assert named <= there


def test_a_profile_changed_by_many_hands_loses_no_revision(tenant: Caller) -> None:
    tenant("PUT", "/profiles/p", {"priority": 0})
    tenant.schedule(name="a", every="1s", profile="p")

    def change(n: int) -> bool:
        read = tenant("GET", "/profiles/p")
        answer = tenant(
            "PUT",
            "/profiles/p",
            {**read.json(), "priority": n + 1},
            headers={"If-Match": read.headers["ETag"]},
        )
        assert answer.ok or kind(answer) == (412, "revision")
        return answer.ok

    with ThreadPoolExecutor(6) as pool:
        counted = sum(pool.map(change, range(24)))
    assert counted >= 1
    last = tenant.got("/profiles/p")
    assert last["revision"] == 1 + counted
    assert tenant.got("/schedules/a")["policy"]["priority"] == {
        "value": last["priority"],
        "from": "profile",
    }
