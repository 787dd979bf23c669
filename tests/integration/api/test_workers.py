"""What workers ask and report, and what people see of it."""

from __future__ import annotations

import base64

import pytest

from crony import wire
from tests.integration.api.caller import Caller, Worker, kind, pointers


def test_registering_again_is_the_same_worker_with_a_new_key(tenant: Caller) -> None:
    first = tenant.worker()
    again = tenant.made("/workers", first.body)
    assert again["id"] == first.id
    assert again["poll_wait"] == "20s"
    assert kind(first.poll()) == (401, "no-key")
    second = Worker(Caller(tenant.url, again["key"]), first.id, first.body)
    assert second.poll().status_code == 200


def test_a_name_of_another_machine_is_taken(tenant: Caller) -> None:
    first = tenant.worker()
    answer = tenant("POST", "/workers", {**first.body, "machine": "0" * 16})
    assert kind(answer) == (409, "name-taken")


def test_a_run_goes_from_lease_to_its_end(tenant: Caller) -> None:
    worker = tenant.worker()
    made = tenant.schedule(
        name="a",
        at="now",
        queue=worker.queue,
        max_runtime="90s",
        sandbox={"memory": "1G"},
        task={"command": "exit 2", "env": {"A": "1"}},
    )
    lease = worker.lease()
    assert (lease["schedule"], lease["schedule_name"]) == (made["id"], "a")
    assert (lease["attempt"], lease["token"], lease["origin"]) == (1, 1, "schedule")
    assert lease["task"] == {
        "command": "exit 2",
        "env": {"A": "1"},
        "stdin": "",
        "workdir": None,
    }
    assert lease["limits"] == {
        "max_runtime": "1m30s",
        "grace": "10s",
        "deadline_in": None,
        "log": "1M",
        "log_part": "64K",
    }
    assert lease["sandbox"]["memory"] == "1G"
    confirmed = worker.report(lease, state="running").json()
    assert confirmed["state"] == "running"
    assert 55 < seconds(confirmed["expires_in"]) <= 60
    running = tenant.got(f"/runs/{lease['run']}")
    assert (running["state"], running["attempts"][0]["worker"]) == (
        "running",
        worker.id,
    )
    view = tenant.got(f"/workers/{worker.id}")
    assert (view["running"], view["slots_used"]) == ([lease["run"]], 1)
    done = worker.report(
        lease,
        state="failed",
        reason="exit",
        exit_code=2,
        error="exit code 2",
        lateness="-0.0002s",
        duration="1.5s",
        finished="0.1s",
        sandbox_level="full",
        limits={"memory": "1G"},
        usage={"cpu": "0.8s", "memory_peak": 18874368},
    )
    assert (done.status_code, done.json()["state"]) == (200, "failed")
    run = tenant.got(f"/schedules/a/runs/{lease['run']}")
    assert (run["state"], run["reason"], run["exit_code"]) == ("failed", "exit", 2)
    assert (run["lateness"], run["duration"]) == ("-0.0002s", "1.500s")
    (attempt,) = run["attempts"]
    assert attempt["usage"] == {"cpu": "0.8s", "memory_peak": 18874368}
    assert (attempt["sandbox_level"], attempt["counted"]) == ("full", True)
    read = tenant.got("/schedules/a")
    assert read["last_run"]["id"] == lease["run"]
    assert (read["state"], read["next_run_at"]) == ("finished", None)
    assert read["errors"][0]["text"] == "exit code 2"


def seconds(text: str) -> float:
    return wire.parse_duration(text).total_seconds()


def test_a_repeated_report_is_accepted_again(tenant: Caller) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    again = worker.report(lease, state="running")
    assert again.status_code == 200
    for _ in range(2):
        assert worker.report(lease, state="succeeded").status_code == 200
    late = worker.report(lease, state="failed")
    assert kind(late)[0] == 409


def test_an_old_token_changes_nothing(tenant: Caller) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant, retries={"max": 1, "backoff": "0s"})
    worker.report(lease, state="failed", exit_code=1)
    newer = worker.lease()
    assert (newer["run"], newer["attempt"], newer["token"]) == (
        lease["run"],
        2,
        lease["token"] + 1,
    )
    assert worker.report(newer, state="running").status_code == 200
    assert kind(worker.report(lease, state="succeeded")) == (409, "stale-token")
    chunk = {"stream": "stdout", "offset": 0, "data": "aGk="}
    assert kind(worker.report(lease, log=[chunk])) == (409, "stale-token")
    assert tenant.got(f"/runs/{lease['run']}")["state"] == "running"


def test_a_cancelled_run_is_revoked_and_never_starts(tenant: Caller) -> None:
    worker = tenant.worker()
    tenant.schedule(at="now", queue=worker.queue)
    lease = worker.lease()
    tenant.made(f"/runs/{lease['run']}/cancel")
    assert kind(worker.report(lease, state="running")) == (409, "run-over")
    held = [{"run": lease["run"], "token": lease["token"]}]
    answer = worker.poll(holding=held).json()
    assert answer["revoked"] == [{**held[0], "reason": "cancelled"}]
    assert kind(tenant("POST", f"/runs/{lease['run']}/cancel")) == (409, "run-over")


def test_a_poll_renews_what_it_holds_and_takes_back_what_it_does_not(
    tenant: Caller,
) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    held = {"run": lease["run"], "token": lease["token"]}
    (renewed,) = worker.poll(holding=[held]).json()["renewed"]
    assert {**held, "expires_in": renewed["expires_in"]} == renewed
    assert 55 < seconds(renewed["expires_in"]) <= 60
    body = {"session": worker.session, "holding": [held]}
    beside = worker.call.made(f"/workers/{worker.id}/renewals", body)
    assert beside["renewed"][0]["run"] == lease["run"]
    (again,) = worker.poll(holding=[]).json()["leases"]
    assert (again["run"], again["token"]) == (lease["run"], lease["token"] + 1)
    attempts = tenant.got(f"/runs/{lease['run']}")["attempts"]
    assert [attempt["state"] for attempt in attempts] == ["lost", "leased"]


def test_an_older_poll_or_session_is_refused(tenant: Caller) -> None:
    worker = tenant.worker()
    assert worker.poll(seq=5).status_code == 200
    assert kind(worker.poll(seq=5)) == (409, "stale-token")
    assert worker.poll(seq=6).status_code == 200
    assert worker.poll(session="new", seq=1).status_code == 200
    assert kind(worker.poll(seq=99)) == (409, "stale-token")


def test_a_worker_may_act_for_itself_alone(tenant: Caller) -> None:
    one, two = tenant.worker(), tenant.worker()
    lease = one.started(tenant)
    foreign = Worker(two.call, one.id, one.body)
    assert kind(foreign.poll()) == (404, "not-found")
    assert kind(two.report(lease, state="succeeded")) == (404, "not-found")
    for path in ("/schedules", "/runs", f"/workers/{one.id}", "/stats", "/keys"):
        assert kind(one.call("GET", path)) == (403, "role")
    assert kind(tenant("POST", f"/workers/{one.id}/leases", {})) == (403, "role")
    assert tenant.got(f"/runs/{lease['run']}")["state"] == "running"


def test_reports_come_in_batches_each_with_its_answer(tenant: Caller) -> None:
    worker = tenant.worker()
    for _ in range(3):
        tenant.schedule(at="now", queue=worker.queue)
    leases: list[dict[str, object]] = []
    while len(leases) < 3:
        held = [{"run": x["run"], "token": x["token"]} for x in leases]
        leases += worker.poll(wait="20s", holding=held).json()["leases"]
    one, two, three = leases
    items = [
        {"run": one["run"], "token": one["token"], "state": "running"},
        {"run": two["run"], "token": two["token"], "state": "running"},
        {
            "run": one["run"],
            "token": one["token"],
            "log": [{"stream": "stdout", "offset": 0, "data": "aGk="}],
            "progress": {"percent": 40, "message": "on it"},
        },
        {"run": one["run"], "token": one["token"], "state": "succeeded"},
        {"run": two["run"], "token": 99, "state": "succeeded"},
        {"run": three["run"], "token": three["token"], "state": "failed"},
        {"run": "run_nobody", "token": 1, "state": "running"},
        {"run": two["run"], "token": 1, "state": "done"},
        {"run": two["run"], "token": two["token"], "error": "a\0b"},
        5,
    ]
    results = worker.call.made("/reports", {"reports": items})["results"]
    # A token that this worker never had is nobody's.
    expected = [200, 200, 200, 200, 404, 200, 404, 422, 422, 422]
    assert [result["status"] for result in results] == expected
    assert [result["run"] for result in results[:7]] == [x["run"] for x in items[:7]]  # type: ignore[index]
    faults = [f["pointer"] for r in results[7:] for f in r["problem"]["errors"]]
    assert faults == ["/reports/7/state", "/reports/8/error", "/reports/9"]
    assert tenant.got(f"/runs/{one['run']}")["progress"]["percent"] == 40
    assert tenant("GET", f"/runs/{one['run']}/log").text == "hi"


def test_a_report_that_says_nothing_still_learns_that_its_lease_is_gone(
    tenant: Caller,
) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    items = [
        {"run": lease["run"], "token": lease["token"]},
        {"run": lease["run"], "token": lease["token"] + 1},
        {"run": "run_nobody", "token": 1},
    ]
    results = worker.call.made("/reports", {"reports": items})["results"]
    assert [result["status"] for result in results] == [200, 404, 404]


@pytest.mark.parametrize("member", ["result", "limits", "usage"])
def test_a_report_has_no_room_for_more_than_an_attempt_has_to_say(
    tenant: Caller, member: str
) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    answer = worker.report(lease, state="failed", **{member: {"a": "b" * 200_000}})
    assert pointers(answer) == {f"/{member}"}
    assert worker.report(lease, state="failed").status_code == 200


def test_an_item_with_thousands_of_faults_names_the_first_of_them(
    tenant: Caller,
) -> None:
    worker = tenant.worker()
    item = {"run": "run_nobody", "token": 1, **{f"x{n}": 0 for n in range(5_000)}}
    (result,) = worker.call.made("/reports", {"reports": [item]})["results"]
    assert (result["status"], len(result["problem"]["errors"])) == (422, 100)


def test_a_batch_has_its_bounds(tenant: Caller) -> None:
    worker = tenant.worker()
    for reports in ([], [{}] * 1001, {}, None):
        answer = worker.call("POST", "/reports", {"reports": reports})
        assert pointers(answer) == {"/reports"}
    # More than the bound of other bodies.
    big = base64.b64encode(b"x" * (1 << 20)).decode()
    chunk = {"stream": "stdout", "offset": 0, "data": big}
    item = {"run": "run_nobody", "token": 1, "log": [chunk]}
    answer = worker.call("POST", "/reports", {"reports": [item] * 3})
    assert [r["status"] for r in answer.json()["results"]] == [404] * 3


def test_a_drained_worker_gets_nothing_new(tenant: Caller) -> None:
    worker = tenant.worker()
    assert tenant.made(f"/workers/{worker.id}/drain")["state"] == "draining"
    tenant.schedule(at="now", queue=worker.queue)
    answer = worker.poll().json()
    assert (answer["draining"], answer["leases"]) == (True, [])


def test_a_deleted_worker_is_gone_with_its_key(tenant: Caller) -> None:
    worker = tenant.worker()
    name = worker.body["name"]
    assert tenant("DELETE", f"/workers/{name}").status_code == 204
    assert kind(tenant("GET", f"/workers/{worker.id}")) == (404, "not-found")
    assert worker.poll().status_code in (401, 404)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"slots": 0}, {"/slots"}),
        ({"slots": 1001}, {"/slots"}),
        ({"queues": []}, {"/queues"}),
        ({"queues": ["A B"]}, {"/queues/0"}),
        ({"machine": "not hex"}, {"/machine"}),
        ({"sandbox_level": "some"}, {"/sandbox_level"}),
        ({"name": None, "verson": "1"}, {"/name", "/verson"}),
    ],
)
def test_a_registration_with_faults_is_refused(
    tenant: Caller, members: dict[str, object], expected: set[str]
) -> None:
    body = {"name": "w", "machine": "3fa9c2d1", "slots": 1, "sandbox_level": "full"}
    assert pointers(tenant("POST", "/workers", {**body, **members})) == expected
