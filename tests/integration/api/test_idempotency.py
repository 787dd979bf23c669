"""The same request twice makes one thing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.integration.api.caller import ECHO, Caller, kind, unique

BODY = {"every": "1h", "task": ECHO}


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_a_repeat_is_answered_as_the_first_time(tenant: Caller) -> None:
    headers = keyed(unique("k"))
    first = tenant("POST", "/schedules", BODY, headers=headers)
    again = tenant("POST", "/schedules", BODY, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert len(tenant.got("/schedules")["items"]) == 1


def test_the_same_key_with_another_body_or_target_is_refused(tenant: Caller) -> None:
    headers = keyed(unique("k"))
    tenant("POST", "/schedules", BODY, headers=headers)
    other = tenant("POST", "/schedules", {**BODY, "every": "2h"}, headers=headers)
    assert kind(other) == (422, "key-reused")
    elsewhere = tenant("POST", "/keys", {"role": "viewer"}, headers=headers)
    assert kind(elsewhere) == (422, "key-reused")


def test_another_tenants_key_is_another_key(tenant: Caller, admin: Caller) -> None:
    headers = keyed(unique("k"))
    other = admin.new_tenant()
    one = tenant("POST", "/schedules", BODY, headers=headers).json()
    two = other("POST", "/schedules", BODY, headers=headers).json()
    assert one["id"] != two["id"]


def test_what_was_refused_may_be_mended_under_the_same_key(tenant: Caller) -> None:
    headers = keyed(unique("k"))
    wrong = tenant("POST", "/schedules", {"every": "1h"}, headers=headers)
    assert wrong.status_code == 422
    right = tenant("POST", "/schedules", BODY, headers=headers)
    assert right.status_code == 201


def test_concurrent_requests_with_one_key_make_one_schedule(tenant: Caller) -> None:
    headers = keyed(unique("k"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: tenant("POST", "/schedules", BODY, headers=headers), range(16)
            )
        )
    made = {a.json()["id"] for a in answers if a.status_code == 201}
    assert len(made) == 1
    for answer in answers:
        if answer.status_code != 201:
            assert kind(answer) == (409, "key-in-progress")
            assert answer.headers["Retry-After"] == "1"
    assert len(tenant.got("/schedules")["items"]) == 1


def test_manual_runs_and_retries_are_made_once(tenant: Caller) -> None:
    tenant.schedule(name="a")
    headers = keyed(unique("k"))
    one = tenant.made("/schedules/a/run", headers=headers)
    assert tenant.made("/schedules/a/run", headers=headers) == one
    assert tenant.made("/schedules/a/run")["id"] != one["id"]
    tenant.made(f"/runs/{one['id']}/cancel")
    path, headers = f"/runs/{one['id']}/retry", keyed(unique("k"))
    again = tenant.made(path, headers=headers)
    assert tenant.made(path, headers=headers)["id"] == again["id"]
    assert (again["parent"], again["origin"]) == (one["id"], "retry")


def test_a_secret_is_shown_once_and_never_again(tenant: Caller) -> None:
    headers = keyed(unique("k"))
    first = tenant.made("/keys", {"role": "viewer"}, headers=headers)
    again = tenant.made("/keys", {"role": "viewer"}, headers=headers)
    assert first["key"].startswith("crony_")
    assert again == {**first, "key": None}


def test_a_key_that_can_not_be_used_is_refused(tenant: Caller) -> None:
    for key in ("a b", "x" * 256, "\xe9"):
        answer = tenant(
            "POST",
            "/schedules",
            BODY,
            headers={"Idempotency-Key": key.encode("latin-1")},
        )
        assert kind(answer) == (400, "invalid-parameter")
