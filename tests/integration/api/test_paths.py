"""Paths, methods, parameters and headers."""

from __future__ import annotations

import pytest

from crony.testing.service import ServiceProcess
from tests.integration.api.caller import Caller, kind


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/nope", 404),
        ("/schedules/", 404),
        ("/schedules//a", 404),
        ("//schedules", 404),
        ("///schedules", 404),
        ("//", 404),
        ("//health/live", 404),
        ("/schedules/a/b/c", 404),
        ("/schedules/a%2Fruns", 404),
        ("/schedules/%ff", 404),
        ("/schedules/%00", 404),
        ("/schedules/%ed%a0%80", 404),
        ("/schedules/%zz", 404),
        ("/schedules/..%2f..%2fetc", 404),
        ("/runs/" + "x" * 4000, 404),
    ],
)
def test_a_path_of_nothing_is_not_found(admin: Caller, path: str, status: int) -> None:
    assert kind(admin("GET", path)) == (status, "not-found")


def test_an_encoded_slash_is_part_of_a_name_and_no_route(tenant: Caller) -> None:
    tenant.schedule(name="a")
    assert tenant("GET", "/schedules/a/runs").status_code == 200
    answer = tenant("GET", "/schedules/a%2Fruns")
    assert answer.json()["detail"] == "There is no schedule 'a/runs'."


def test_an_encoded_letter_is_the_letter(tenant: Caller) -> None:
    tenant.schedule(name="abc")
    assert tenant("GET", "/schedules/%61bc").status_code == 200
    assert tenant("GET", "/%73chedules").status_code == 200


def test_a_wrong_method_is_told_the_right_ones(admin: Caller) -> None:
    answer = admin("DELETE", "/schedules")
    assert kind(answer) == (405, "method-not-allowed")
    assert {"GET", "POST", "HEAD"} <= set(answer.headers["Allow"].split(", "))
    assert kind(admin("BREW", "/schedules"))[0] in (400, 405)


@pytest.mark.parametrize("path", ["/schedules", "/stats", "/openapi.json", "/runs"])
def test_head_answers_as_get_without_the_body(admin: Caller, path: str) -> None:
    got, head = admin("GET", path), admin("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


def test_an_accept_that_nothing_satisfies_is_refused(admin: Caller) -> None:
    answer = admin("GET", "/schedules", headers={"Accept": "image/png"})
    assert kind(answer) == (406, "not-acceptable")
    for accept in ("*/*", "application/*", "text/html, application/json;q=0.5"):
        fits = admin("GET", "/schedules", headers={"Accept": accept})
        assert fits.status_code == 200


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limt=5", "limt"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WzEsMl0", "cursor"),
        ("since=yesterday", "since"),
        ("until=2026-01-01", "until"),
        ("state=done", "state"),
        ("state=failed,", "state"),
        ("worker=%ff", "worker"),
        ("worker=%00", "worker"),
        ("a%ff=1", "query"),
    ],
)
def test_a_bad_parameter_is_named(admin: Caller, query: str, parameter: str) -> None:
    answer = admin("GET", f"/runs?{query}")
    assert kind(answer) == (400, "invalid-parameter")
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_an_unknown_parameter_is_told_the_nearest(admin: Caller) -> None:
    (fault,) = admin("GET", "/schedules?limt=5").json()["errors"]
    assert fault["detail"] == 'unknown parameter; did you mean "limit"?'


def test_a_problem_names_its_request_and_the_log_has_it(
    admin: Caller, service: ServiceProcess
) -> None:
    instance = admin("GET", "/nope").json()["instance"]
    number = instance.removeprefix("urn:crony:request:")
    text = service.log.read_text()
    assert f"request={number}" in text


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic YTpi",
        "Bearer a b",
        "Bearer é",
    ],
)
def test_no_key_or_an_unknown_one_is_refused(stranger: Caller, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    answer = stranger("GET", "/schedules", headers=headers)
    assert kind(answer) == (401, "no-key")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_probes_and_the_description_need_no_key(stranger: Caller) -> None:
    assert stranger.got("/health/live") == {"status": "live"}
    assert stranger.got("/health/ready")["status"] == "ready"
    assert stranger.got("/openapi.json")["openapi"] == "3.1.0"
