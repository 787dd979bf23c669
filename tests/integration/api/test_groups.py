"""Groups over HTTP: made, paused and resumed as one, and removed when empty."""

from __future__ import annotations

from typing import Any

from tests.integration.api.caller import ECHO, Caller, kind, pointers

YEARLY = {"cron": "0 0 1 1 *", "task": ECHO}


def group(caller: Caller, name: str, **members: Any) -> Any:
    """Make or change a group."""
    answer = caller("PUT", f"/groups/{name}", members)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_every_tenant_has_the_group_default(tenant: Caller) -> None:
    (only,) = tenant.got("/groups")["items"]
    assert only == tenant.got("/groups/default")
    assert (only["name"], only["schedules"], only["paused"]) == ("default", 0, False)
    assert tenant.schedule()["group"] == "default"
    assert tenant.got("/groups/default")["schedules"] == 1
    assert kind(tenant("DELETE", "/groups/default")) == (409, "in-use")


def test_a_group_is_made_read_changed_and_removed(tenant: Caller) -> None:
    assert kind(tenant("GET", "/groups/reports")) == (404, "not-found")
    tenant("PUT", "/profiles/heavy", {})
    body = {"description": "all of them", "profile": "heavy", "max_concurrent": 4}
    made = tenant("PUT", "/groups/reports", body)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert made.headers["Location"] == "/groups/reports"
    read = tenant("GET", "/groups/reports")
    assert read.json() == made.json()
    assert {name: read.json()[name] for name in body} == body
    known = tenant("GET", "/groups/reports", headers={"If-None-Match": '"1"'})
    assert (known.status_code, known.content) == (304, b"")
    same = tenant("PUT", "/groups/reports", read.json())
    assert (same.status_code, same.json()["revision"]) == (200, 1)
    changed = tenant("PUT", "/groups/reports", {"max_concurrent": 5})
    assert (changed.json()["revision"], changed.json()["profile"]) == (2, None)
    names = [item["name"] for item in tenant.got("/groups")["items"]]
    assert names == ["default", "reports"]
    assert tenant("DELETE", "/groups/reports").status_code == 204
    assert kind(tenant("DELETE", "/groups/reports")) == (404, "not-found")


def test_a_write_of_a_group_insists_on_its_revision(tenant: Caller) -> None:
    absent = tenant("PUT", "/groups/a", {}, headers={"If-Match": '"1"'})
    assert kind(absent) == (412, "revision")
    group(tenant, "a")
    exists = tenant("PUT", "/groups/a", {}, headers={"If-None-Match": "*"})
    assert kind(exists) == (412, "revision")
    first = {"If-Match": '"1"'}
    assert (
        tenant("PUT", "/groups/a", {"paused": True}, headers=first).status_code == 200
    )
    late = tenant("PUT", "/groups/a", {}, headers=first)
    assert kind(late) == (412, "revision")
    assert kind(tenant("DELETE", "/groups/a", headers=first)) == (412, "revision")


def test_all_faults_of_a_group_come_at_once(tenant: Caller) -> None:
    body = {"profile": "none", "max_concurrent": 0, "pausd": True}
    answer = tenant("PUT", "/groups/Upper", body)
    assert pointers(answer) == {"", "/profile", "/max_concurrent", "/pausd"}
    said = {f["pointer"]: f["detail"] for f in answer.json()["errors"]}
    assert said["/pausd"] == 'unknown field; did you mean "paused"?'
    assert '"none"' in said["/profile"]


def test_a_group_with_schedules_stays(tenant: Caller) -> None:
    group(tenant, "reports")
    tenant.schedule(name="a", group="reports")
    refused = tenant("DELETE", "/groups/reports")
    assert kind(refused) == (409, "in-use")
    assert refused.json()["detail"].endswith("1 schedule: a.")
    tenant("PATCH", "/schedules/a", {"group": None})
    assert tenant.got("/schedules/a")["group"] == "default"
    assert tenant("DELETE", "/groups/reports").status_code == 204


def test_a_pause_of_a_group_pauses_its_schedules(tenant: Caller) -> None:
    group(tenant, "reports")
    names = [f"n{n}" for n in range(5)]
    for name in names:
        tenant.schedule(name=name, group="reports")
    tenant.schedule(name="other")
    tenant.schedule(name="own", group="reports", paused=True)
    paused = tenant.made("/groups/reports/pause")
    assert (paused["paused"], paused["revision"]) == (True, 2)
    # The answer comes once they all have it.
    assert tenant.got("/groups/reports") == paused
    for name in names:
        read = tenant.got(f"/schedules/{name}")
        assert (read["state"], read["paused"]) == ("paused", False)
        assert read["next_run_at"] is None
    assert tenant.got("/schedules/other")["state"] == "active"
    assert tenant.made("/groups/reports/pause")["revision"] == 2
    late = tenant.schedule(name="late", group="reports")
    assert late["state"] == "paused"
    resumed = tenant.made("/groups/reports/resume", {"misfire": "latest"})
    assert (resumed["paused"], resumed["revision"]) == (False, 3)
    assert tenant.got("/schedules/own")["state"] == "paused"
    for name in (*names, "late"):
        assert tenant.got(f"/schedules/{name}")["state"] == "active"


def test_a_put_pauses_and_resumes_too(tenant: Caller) -> None:
    group(tenant, "reports")
    tenant.schedule(name="a", group="reports")
    group(tenant, "reports", paused=True)
    assert tenant.got("/schedules/a")["state"] == "paused"
    group(tenant, "reports")
    assert tenant.got("/schedules/a")["state"] == "active"


def test_a_schedule_takes_the_pause_of_the_group_it_moves_to(tenant: Caller) -> None:
    group(tenant, "still", paused=True)
    tenant.schedule(name="a")
    moved = tenant("PATCH", "/schedules/a", {"group": "still"})
    assert moved.json()["state"] == "paused"
    back = tenant("PATCH", "/schedules/a", {"group": "default"})
    assert back.json()["state"] == "active"


def test_pause_and_resume_of_a_group_refuse_what_they_do_not_take(
    tenant: Caller,
) -> None:
    for action in ("pause", "resume"):
        assert kind(tenant("POST", f"/groups/none/{action}")) == (404, "not-found")
    paused = tenant("POST", "/groups/default/pause", {"misfire": "all"})
    assert pointers(paused) == {"/misfire"}
    resumed = tenant("POST", "/groups/default/resume", {"misfire": "some"})
    assert pointers(resumed) == {"/misfire"}


def test_the_tasks_of_a_group_are_its_schedules(tenant: Caller) -> None:
    group(tenant, "reports")
    tenant.schedule(name="elsewhere")
    made = tenant("POST", "/schedules/reports/tasks", {**YEARLY, "name": "a"})
    assert made.status_code == 201
    assert made.json()["group"] == "reports"
    assert tenant.got(made.headers["Location"]) == made.json()
    again = tenant("POST", "/schedules/reports/tasks", {**YEARLY, "name": "a"})
    assert again.status_code == 200
    same = {**YEARLY, "name": "b", "group": "reports"}
    assert tenant("POST", "/schedules/reports/tasks", same).status_code == 201
    listed = tenant.got("/schedules/reports/tasks?sort=name&limit=1")
    assert [item["name"] for item in listed["items"]] == ["a"]
    rest = tenant.got(
        f"/schedules/reports/tasks?sort=name&limit=1&cursor={listed['next']}"
    )
    assert ([item["name"] for item in rest["items"]], rest["next"]) == (["b"], None)
    assert tenant.got("/schedules/reports/tasks?q=b")["items"] == rest["items"]


def test_a_task_of_another_group_is_refused_with_its_other_faults(
    tenant: Caller,
) -> None:
    group(tenant, "reports")
    wrong = {"cron": "61 * * * *", "group": "default"}
    answer = tenant("POST", "/schedules/reports/tasks", wrong)
    assert pointers(answer) == {"/group", "/cron", "/task"}
    for method in ("GET", "POST"):
        answer = tenant(method, "/schedules/none/tasks", YEARLY)
        assert kind(answer) == (404, "not-found")


def test_a_groups_profile_holds_for_its_schedules(tenant: Caller) -> None:
    tenant("PUT", "/profiles/heavy", {"max_runtime": "6h", "priority": 5})
    tenant("PUT", "/profiles/own", {"priority": 9})
    group(tenant, "reports", profile="heavy")
    policy = tenant.schedule(group="reports", profile="own", max_lost=2)["policy"]
    assert policy["max_runtime"] == {"value": "6h", "from": "group"}
    assert policy["priority"] == {"value": 9, "from": "profile"}
    assert policy["max_lost"] == {"value": 2, "from": "schedule"}
    assert policy["misfire"] == {"value": "all", "from": "built-in"}
