"""Hostile bodies: whatever is sent, the answer is a problem that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.integration.api.caller import ECHO, Caller, kind, pointers

JSON = {"Content-Type": "application/json"}


def sent(caller: Caller, raw: bytes, path: str = "/schedules") -> requests.Response:
    return caller("POST", path, data=raw, headers=JSON)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\\ud800"}',
        b'{"a": "\x00"}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"9" * 5_000,
        b'{"cron": "* * * * *", "cron": "0 0 * * *"}',
        b'{"task": {"env": {"A": "1", "A": "2"}}}',
        b"{} {}",
        b"'a'",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_not_json_is_said_to_be_so(tenant: Caller, raw: bytes) -> None:
    assert kind(sent(tenant, raw)) == (400, "malformed-json")


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b"[]", ""),
        (b"null", ""),
        (b"5", ""),
        (b'"text"', ""),
        (b'{"description": "a\\u0000b"}', "/description"),
        (b'{"labels": {"a\\u0000b": "c"}}', "/labels"),
        (b'{"max_runs": 1e999}', "/max_runs"),
        (b'{"max_runs": 123456789012345678901234567890}', "/max_runs"),
        (b'{"task": {"args": [1e999]}}', "/task/args/0"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_no_store_could_keep_is_refused(
    tenant: Caller, raw: bytes, pointer: str
) -> None:
    assert pointer in pointers(sent(tenant, raw))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {"", "/task"}),
        ({"task": ECHO}, {""}),
        ({"cron": "* * * * *", "every": "5m", "task": ECHO}, {""}),
        ({"cron": None, "at": None, "task": ECHO}, {""}),
        ({"cron": 5, "task": ECHO}, {"/cron"}),
        ({"cron": "", "task": ECHO}, {"/cron"}),
        ({"cron": "61 * * * *", "task": ECHO}, {"/cron"}),
        ({"cron": "@reboot", "task": ECHO}, {"/cron"}),
        ({"cron": "0 0 31 2 *", "task": ECHO}, {"/cron"}),
        ({"every": "0s", "task": ECHO}, {"/every"}),
        ({"every": "1.5", "task": ECHO}, {"/every"}),
        ({"every": True, "task": ECHO}, {"/every"}),
        ({"at": "tomorrow", "task": ECHO}, {"/at"}),
        ({"at": "0001-01-01T00:00:00Z", "task": ECHO}, {"/at"}),
        ({"at": "9999-12-31T23:59:59.999Z", "task": ECHO}, {"/at"}),
        (
            {"every": "1s", "start_at": "9999-12-31T23:59:59Z", "task": ECHO},
            {"/start_at"},
        ),
        ({"at": "2001-01-01T00:00:00Z", "task": ECHO}, {"/at"}),
        ({"at": "2090-01-01T00:00:00", "task": ECHO}, {"/at"}),
        (
            {"cron": "61 * * * *", "timezone": "Europe/Berln", "task": ECHO},
            {"/cron", "/timezone"},
        ),
        (
            {
                "every": "5m",
                "start_at": "2090-01-01T00:00:00Z",
                "end_at": "2080-01-01T00:00:00Z",
                "task": ECHO,
            },
            {"/end_at"},
        ),
        ({"every": "5m", "task": {}}, {"/task"}),
        ({"every": "5m", "task": []}, {"/task"}),
        ({"every": "5m", "task": {"command": []}}, {"/task/command"}),
        ({"every": "5m", "task": {"command": " "}}, {"/task/command"}),
        ({"every": "5m", "task": {"command": ["a", 1]}}, {"/task/command"}),
        ({"every": "5m", "task": {"command": "a", "script": "b"}}, {"/task"}),
        ({"every": "5m", "task": {"python": "no-colon"}}, {"/task/python"}),
        ({"every": "5m", "task": {"http": {"url": "ftp://x"}}}, {"/task/http/url"}),
        (
            {"every": "5m", "task": {"http": {"url": "http://x", "expect_status": 2}}},
            {"/task/http/expect_status"},
        ),
        ({"every": "5m", "task": {"celery": {"task": "x"}}}, {"/task", "/task/celery"}),
        ({"every": "5m", "task": {**ECHO, "env": {"A": 1}}}, {"/task/env"}),
        ({"every": "5m", "task": {**ECHO, "env": {"CRONY_KEY": ""}}}, {"/task/env"}),
        ({"every": "5m", "task": {**ECHO, "workdr": "x"}}, {"/task/workdr"}),
        ({"every": "5m", "task": ECHO, "name": "Upper"}, {"/name"}),
        ({"every": "5m", "task": ECHO, "name": "sch_" + "0" * 26}, {"/name"}),
        ({"every": "5m", "task": ECHO, "labels": {"a": 1}}, {"/labels"}),
        (
            {"every": "5m", "task": ECHO, "labels": {f"l{n}": "" for n in range(33)}},
            {"/labels"},
        ),
        ({"every": "5m", "task": ECHO, "priority": 101}, {"/priority"}),
        ({"every": "5m", "task": ECHO, "priority": 1.5}, {"/priority"}),
        ({"every": "5m", "task": ECHO, "priority": True}, {"/priority"}),
        ({"every": "5m", "task": ECHO, "priority": "1"}, {"/priority"}),
        ({"every": "5m", "task": ECHO, "paused": 1}, {"/paused"}),
        ({"every": "5m", "task": ECHO, "max_runtime": 60}, {"/max_runtime"}),
        ({"every": "5m", "task": ECHO, "max_runtime": "0s"}, {"/max_runtime"}),
        ({"every": "5m", "task": ECHO, "on_overlap": "stop"}, {"/on_overlap"}),
        ({"every": "5m", "task": ECHO, "misfire": "newest"}, {"/misfire"}),
        ({"every": "5m", "task": ECHO, "misfire_window": "-1s"}, {"/misfire_window"}),
        ({"every": "5m", "task": ECHO, "deadline": "0s"}, {"/deadline"}),
        ({"every": "5m", "task": ECHO, "preemptible": "yes"}, {"/preemptible"}),
        ({"every": "5m", "task": ECHO, "delivery": "once"}, {"/delivery"}),
        (
            {"every": "5m", "task": ECHO, "retention": {"runs": 0, "age": 1}},
            {"/retention/runs", "/retention/age"},
        ),
        ({"every": "5m", "task": ECHO, "group": None}, {"/group"}),
        ({"every": "5m", "task": ECHO, "group": "Upper"}, {"/group"}),
        (
            {"every": "5m", "task": ECHO, "group": "none", "profile": "none"},
            {"/group", "/profile"},
        ),
        ({"task": {}, "group": "none"}, {"", "/task", "/group"}),
        (
            {
                "every": "5m",
                "task": ECHO,
                "delivery": "at_most_once",
                "retries": {"max": 1},
                "preemptible": True,
                "profile": "none",
            },
            {"/retries/max", "/preemptible", "/profile"},
        ),
        ({"every": "5m", "task": ECHO, "id": "sch_x"}, {"/id"}),
        (
            {"every": "5m", "task": ECHO, "sandbox": {"memry": "1G", "pids": 0}},
            {"/sandbox/memry", "/sandbox/pids"},
        ),
        (
            {"every": "5m", "task": ECHO, "sandbox": {"ro_paths": ["/a", "b"]}},
            {"/sandbox/ro_paths/1"},
        ),
        (
            {"every": "5m", "task": ECHO, "retries": {"max": -1, "factor": "2"}},
            {"/retries/max", "/retries/factor"},
        ),
        (
            {"every": "5m", "task": ECHO, "dst": {"gap": "skip"}},
            {"/dst", "/dst/fold"},
        ),
    ],
)
def test_every_fault_has_its_place(
    tenant: Caller, members: dict[str, Any], expected: set[str]
) -> None:
    assert pointers(tenant("POST", "/schedules", members)) == expected


def test_all_faults_come_at_once_with_the_nearest_names(tenant: Caller) -> None:
    body = {
        "nme": "a",
        "cron": "61 * * * *",
        "timezone": "Europe/Berln",
        "queue": 5,
        "task": {"command": "x", "stdn": ""},
    }
    answer = tenant("POST", "/schedules", body)
    assert pointers(answer) == {"/nme", "/cron", "/timezone", "/queue", "/task/stdn"}
    said = {f["pointer"]: f["detail"] for f in answer.json()["errors"]}
    assert said["/nme"] == 'unknown field; did you mean "name"?'
    assert said["/task/stdn"] == 'unknown field; did you mean "stdin"?'
    assert said["/cron"] == '"61 * * * *": minute 61 is out of 0..59'
    assert "Europe/Berlin" in said["/timezone"]
    assert answer.json()["detail"] == "5 fields need a change; nothing was saved."
    assert tenant.got("/schedules")["items"] == []


def test_a_fault_beside_the_trigger_hides_none_of_the_triggers_own(
    tenant: Caller,
) -> None:
    body = {
        "name": "BAD",
        "cron": "61 * * * *",
        "every": "1s",
        "timezone": "Mars/Base",
        "jitter": "soon",
        "task": ECHO,
    }
    answer = tenant("POST", "/schedules", body)
    assert pointers(answer) == {"/name", "/cron", "", "/timezone", "/jitter"}


def test_pointers_escape_what_json_pointers_must(tenant: Caller) -> None:
    body = {"every": "5m", "task": ECHO, "a/b~c": 1}
    assert pointers(tenant("POST", "/schedules", body)) == {"/a~1b~0c"}


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(
    tenant: Caller,
) -> None:
    body = {"every": "5m", "task": ECHO, "priority": 5}
    raw = json.dumps(body).replace('"priority": 5', '"priority": 5.0')
    answer = sent(tenant, raw.encode())
    assert (answer.status_code, answer.json()["priority"]) == (201, 5)


def test_text_of_all_of_unicode_is_kept(tenant: Caller) -> None:
    text = "ü 漢字 🕰 \u202e \ufeff \U0010ffff e\u0301 \x7f"
    made = tenant.schedule(description=text, task={"command": ["echo", text]})
    read = tenant.got(f"/schedules/{made['id']}")
    assert read["description"] == text
    assert read["task"]["command"][1] == text


def test_a_body_over_its_bound_is_refused(tenant: Caller) -> None:
    raw = b'{"description": "' + b"x" * (1 << 20) + b'"}'
    assert kind(sent(tenant, raw)) == (413, "too-large")

    def stream() -> Any:
        yield from [b" " * 65536] * 17

    chunked = tenant("POST", "/schedules", data=stream(), headers=JSON)
    assert kind(chunked) == (413, "too-large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json\xe9"},
    ],
)
def test_other_media_and_codings_are_refused(
    tenant: Caller, headers: dict[str, str]
) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = tenant("POST", "/schedules", data=b"{}", headers=encoded)
    assert kind(answer) == (415, "unsupported-media-type")


def test_a_name_given_twice_among_thousands_is_found_at_once(tenant: Caller) -> None:
    names = ",".join(f'"n{n}":0' for n in range(60_000))
    # Compared each with each, these would take longer than the caller waits.
    answer = sent(tenant, f'{{{names},"n":1,"n":2}}'.encode())
    assert kind(answer) == (400, "malformed-json")
    assert '"n" twice' in answer.json()["detail"]


@pytest.mark.parametrize("within", ["", "/task"])
def test_thousands_of_unknown_members_are_all_named_but_few_are_guessed_at(
    tenant: Caller, within: str
) -> None:
    strange = {f"tast{n}": 0 for n in range(5_000)}
    body = {"task": strange} if within else strange
    faults = tenant("POST", "/schedules", body).json()["errors"]
    ours = [f for f in faults if f["pointer"].startswith(f"{within}/tast")]
    assert len(ours) == 5_000
    assert sum("did you mean" in f["detail"] for f in ours) <= 32
