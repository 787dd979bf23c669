"""The ledger, the audit, why and backfill, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.caller import Caller, kind, pointers, unique

SPAN = "from=2026-01-01T00:00:00Z&to=9998-01-01T00:00:00Z"


def paused(caller: Caller, **members: Any) -> Any:
    """Create a schedule whose runs nobody takes."""
    return caller.schedule(name=unique("s"), queue=unique("q"), **members)


def test_the_ledger_tells_what_ran_and_what_is_to_come(tenant: Caller) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant, name="a")
    assert worker.report(lease, state="succeeded", exit_code=0).status_code == 200
    path = "/schedules/a/occurrences"
    (entry,) = tenant.got(path)["items"]
    assert entry["state"] == "succeeded"
    assert entry["run"] == lease["run"]
    assert entry["at"] == lease["scheduled_for"]
    assert (entry["count"], entry["until"], entry["revision"]) == (1, None, 1)

    tenant.schedule(name="b", cron="0 0 1 1 *")
    answer = tenant("GET", f"/schedules/b/occurrences?limit=2&{SPAN}")
    first = answer.json()
    assert [item["state"] for item in first["items"]] == ["upcoming"] * 2
    assert first["pruned"] is None
    second = tenant.got(answer.links["next"]["url"])
    years = [item["at"][:4] for item in first["items"] + second["items"]]
    assert [int(year) - int(years[0]) for year in years] == [0, 1, 2, 3]


def test_a_span_that_ends_before_it_begins_is_no_span(tenant: Caller) -> None:
    tenant.schedule(name="a")
    span = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"
    for path in ("/schedules/a/occurrences", "/audit/occurrences"):
        assert kind(tenant("GET", f"{path}?{span}")) == (400, "invalid-parameter")
        assert kind(tenant("GET", f"{path}?from=yesterday"))[0] == 400


def test_an_audit_finds_no_gap_and_is_paged(tenant: Caller) -> None:
    for _ in range(3):
        paused(tenant, at="now")
    seen = {"checked": 0, "schedules": 0}
    cursor = ""
    while True:
        found = tenant.got(f"/audit/occurrences?limit=2{cursor}")
        assert found["gaps"] == []
        assert found["unverifiable"] == []
        seen = {name: seen[name] + found[name] for name in seen}
        if found["next"] is None:
            break
        cursor = f"&cursor={found['next']}"
    assert seen["schedules"] == 3
    single = paused(tenant, every="1h")
    alone = tenant.got(f"/audit/occurrences?schedule={single['name']}")
    assert (alone["schedules"], alone["gaps"]) == (1, [])
    missing = tenant("GET", "/audit/occurrences?schedule=nothing")
    assert kind(missing) == (404, "not-found")


@pytest.mark.parametrize("text", ["AAAA", "WzEsInNjaF8xIiwiMDAiXQ"])
def test_a_cursor_of_another_make_is_refused(tenant: Caller, text: str) -> None:
    answer = tenant("GET", f"/audit/occurrences?cursor={text}")
    assert kind(answer) == (400, "invalid-parameter")


def test_why_says_what_to_do(tenant: Caller) -> None:
    tenant.worker()
    schedule = paused(tenant, at="now")
    found = tenant.got(f"/schedules/{schedule['name']}/why")
    assert found["code"] == "no_worker"
    assert f"--queue {schedule['queue']}" in found["detail"]
    (run,) = tenant.got(f"/schedules/{schedule['id']}/runs")["items"]
    assert (found["run"], found["occurrence"]) == (run["id"], run["scheduled_for"])
    before = tenant.got(f"/schedules/{schedule['id']}/why?at=2020-01-01T00:00:00Z")
    assert before["code"] == "outside_bounds"
    assert before["after"] == run["scheduled_for"]
    assert kind(tenant("GET", "/schedules/nothing/why")) == (404, "not-found")


def test_a_backfill_makes_a_run_of_each_occurrence_once(tenant: Caller) -> None:
    schedule = paused(tenant, cron="0 * * * *")
    path = f"/schedules/{schedule['name']}/backfill"
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T12:00:00Z"}
    dry = tenant("POST", path, {**span, "dry_run": True})
    assert dry.status_code == 200
    assert (dry.json()["count"], dry.json()["runs"][0]["id"]) == (12, None)
    assert tenant.got(f"/schedules/{schedule['id']}/runs")["items"] == []
    key = {"Idempotency-Key": "once"}
    first = tenant("POST", path, span, headers=key)
    assert first.status_code == 202
    made = first.json()
    assert (made["count"], len(made["runs"]), made["dry_run"]) == (12, 10, False)
    assert tenant("POST", path, span, headers=key).json() == made
    runs = tenant.got(first.headers["Location"])["items"]
    assert len(runs) == 12
    assert {run["origin"] for run in runs} == {"backfill"}
    assert {run["id"] for run in made["runs"]} < {run["id"] for run in runs}


def test_a_backfill_that_makes_no_sense_says_why(tenant: Caller) -> None:
    schedule = paused(tenant, cron="0 * * * *")
    path = f"/schedules/{schedule['name']}/backfill"

    def post(**body: Any) -> set[str]:
        return pointers(tenant("POST", path, body))

    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T12:00:00Z"}
    assert post() == {"/from", "/to"}
    assert post(**span, form="x", dry_run="yes") == {"/form", "/dry_run"}
    unknown = tenant("POST", path, {**span, "form": "x"}).json()["errors"]
    assert 'did you mean "from"' in unknown[0]["detail"]
    assert post(**{**span, "to": span["from"]}) == {"/to"}
    between = {"from": "2026-01-01T00:10:00Z", "to": "2026-01-01T00:20:00Z"}
    assert post(**between) == {"/from"}
    many = {"from": "1990-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    assert post(**many) == {"/to"}
    assert tenant.got(f"/schedules/{schedule['id']}/runs")["items"] == []


def test_a_viewer_may_ask_and_not_backfill(tenant: Caller) -> None:
    paused(tenant)
    schedule = paused(tenant)
    viewer = tenant.as_role("viewer")
    for path in ("occurrences", "why"):
        assert viewer("GET", f"/schedules/{schedule['id']}/{path}").status_code == 200
    assert viewer("GET", "/audit/occurrences").status_code == 200
    refused = viewer("POST", f"/schedules/{schedule['id']}/backfill", {})
    assert kind(refused) == (403, "role")


def test_a_deleted_schedule_is_read_by_its_id(tenant: Caller) -> None:
    schedule = paused(tenant, at="now")
    path = f"/schedules/{schedule['id']}"
    assert tenant("DELETE", path).status_code == 204
    (entry,) = tenant.got(f"{path}/occurrences")["items"]
    assert (entry["state"], entry["reason"]) == ("cancelled", "deleted")
    assert tenant.got(f"{path}/why")["code"] == "deleted"
