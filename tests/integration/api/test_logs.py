"""The output of attempts."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.integration.api.caller import Caller, Worker, kind, pointers


def said(worker: Worker, lease: Any, text: bytes, offset: int, **more: Any) -> None:
    chunk = {
        "stream": "stdout",
        "offset": offset,
        "data": base64.b64encode(text).decode(),
        **more,
    }
    answer = worker.report(lease, log=[chunk])
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["offset", "dropped"])
def test_a_place_that_no_output_reaches_is_refused(tenant: Caller, name: str) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    chunk = {"stream": "stdout", "offset": 0, "data": "aGk=", name: 2**50 + 1}
    refused = worker.report(lease, log=[chunk])
    assert pointers(refused) == {f"/log/0/{name}"}
    last = {**chunk, name: 2**50}
    assert worker.report(lease, log=[last]).status_code == 200


def test_a_log_is_read_whole_and_in_ranges(tenant: Caller) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    said(worker, lease, b"hello ", 0)
    said(worker, lease, b"w\xff\x00rld\n", 6)
    said(worker, lease, b"hello ", 0)
    path = f"/runs/{lease['run']}/log"
    whole = tenant("GET", path)
    assert whole.content == b"hello w\xff\x00rld\n"
    assert whole.headers["Content-Type"].startswith("text/plain")
    for asked, content, told in [
        ("bytes=0-4", b"hello", "bytes 0-4/13"),
        ("bytes=6-", b"w\xff\x00rld\n", "bytes 6-12/13"),
        ("bytes=-4", b"rld\n", "bytes 9-12/13"),
        ("bytes=10-99", b"ld\n", "bytes 10-12/13"),
    ]:
        part = tenant("GET", path, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, content)
        assert part.headers["Content-Range"] == told
    beyond = tenant("GET", path, headers={"Range": "bytes=13-"})
    assert kind(beyond) == (416, "range")
    assert beyond.headers["Content-Range"] == "bytes */13"
    ignored = tenant("GET", path, headers={"Range": "lines=1-2"})
    assert (ignored.status_code, len(ignored.content)) == (200, 13)
    head = tenant("HEAD", path)
    assert (head.headers["Content-Length"], head.content) == ("13", b"")


def test_each_attempt_has_its_own_log(tenant: Caller) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant, retries={"max": 1, "backoff": "0s"})
    said(worker, lease, b"first", 0)
    worker.report(lease, state="failed")
    again = worker.lease()
    worker.report(again, state="running")
    said(worker, again, b"second", 0)
    path = f"/runs/{lease['run']}/log"
    assert tenant("GET", path).text == "second"
    assert tenant("GET", f"{path}?attempt=1").text == "first"
    assert kind(tenant("GET", f"{path}?attempt=3")) == (404, "not-found")
    log = tenant.got(f"/runs/{lease['run']}")["attempts"][0]["log"]
    assert log == {"bytes": 5, "kept": 5, "dropped": 0}


def test_a_followed_log_comes_as_it_is_written_and_ends_with_the_run(
    tenant: Caller,
) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    with stream(tenant, lease, "?follow=true") as answer:
        chunks = answer.iter_content(chunk_size=None)
        for position, text in enumerate([b"one\n", b"two\n"]):
            said(worker, lease, text, 4 * position)
            assert next(chunks) == text
        worker.report(lease, state="succeeded")
        assert list(chunks) == []


def test_a_followed_log_may_come_as_events(tenant: Caller) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    headers = {"Accept": "text/event-stream"}
    with stream(tenant, lease, "", headers=headers) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = events(answer)
        said(worker, lease, b"on\xff", 0)
        kind_, data = next(lines)
        assert (kind_, data["text"], data["stream"]) == ("log", "on\ufffd", "stdout")
        worker.report(lease, state="failed")
        assert [name for name, _ in lines] == ["end"]


def events(answer: requests.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        if line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def stream(tenant: Caller, lease: Any, query: str, **more: Any) -> requests.Response:
    return tenant("GET", f"/runs/{lease['run']}/log{query}", stream=True, **more)


def test_a_log_of_what_has_not_started_is_empty_and_waits_when_followed(
    tenant: Caller,
) -> None:
    worker = tenant.worker()
    tenant.schedule(name="a", queue=worker.queue)
    run = tenant.made("/schedules/a/run")
    assert tenant("GET", f"/runs/{run['id']}/log").content == b""
    got: list[bytes] = []
    with stream(tenant, {"run": run["id"]}, "?follow=true") as answer:
        reader = threading.Thread(target=lambda: got.extend(answer.iter_content(None)))
        reader.start()
        lease = worker.lease()
        worker.report(lease, state="running")
        said(worker, lease, b"late", 0)
        worker.report(lease, state="succeeded")
        reader.join(timeout=20)
    assert b"".join(got) == b"late"


def test_a_log_of_nothing_is_not_found(tenant: Caller) -> None:
    for query in ("", "?follow=true"):
        answer = tenant("GET", f"/runs/run_nobody/log{query}")
        assert kind(answer) == (404, "not-found")
