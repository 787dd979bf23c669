"""What happened, read as a stream or in pages, from a real service."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from crony.testing.service import running_service
from tests.integration.api.caller import Caller, kind

STREAM = {"Accept": "text/event-stream"}
PAGES = {"Accept": "application/json"}


@dataclass
class Stream:
    """An open stream, read line by line."""

    answer: requests.Response
    lines: Iterator[str]

    def next(self) -> Any:
        """Return the next event, having checked its frame."""
        frame: dict[str, str] = {}
        for line in self.lines:
            if line.startswith((":", "retry:")):
                continue
            if not line:
                if "data" in frame:
                    break
                frame = {}
                continue
            name, _, value = line.partition(": ")
            frame[name] = value
        event = json.loads(frame["data"])
        assert (frame["id"], frame["event"]) == (event["id"], event["type"])
        return event

    def types(self, count: int) -> list[str]:
        """Return the types of the next events."""
        return [self.next()["type"] for _ in range(count)]


@contextlib.contextmanager
def opened(caller: Caller, query: str = "", **headers: str) -> Iterator[Stream]:
    """Open a stream; it is live once this returns."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with caller(
        "GET", f"/events{query}", stream=True, headers=STREAM | named
    ) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        stream = Stream(answer, lines)
        assert next(lines).startswith("retry:")
        assert next(lines) == ": open"
        assert next(lines).startswith("id: evt_")
        yield stream


def paged(caller: Caller, query: str = "") -> Any:
    return caller.got(f"/events{query}", headers=PAGES)


def test_a_stream_tells_of_a_run_from_its_beginning_to_its_end(tenant: Caller) -> None:
    with opened(tenant) as stream:
        worker = tenant.worker()
        registered = stream.next()
        assert registered["type"] == "worker.registered"
        assert registered["data"]["id"] == registered["subject"] == worker.id
        assert registered["source"].endswith(tenant.headers["X-Crony-Tenant"])
        lease = worker.started(tenant)
        worker.report(lease, state="failed", reason="exit", exit_code=2)
        told = [stream.next() for _ in range(6)]
    assert sorted(each["type"] for each in told[:3]) == [
        "run.pending",
        "schedule.created",
        "schedule.finished",
    ]
    assert told[0]["type"] == "schedule.created"
    assert [each["type"] for each in told[3:]] == [
        "run.leased",
        "run.running",
        "run.failed",
    ]
    last = told[-1]
    assert last["data"]["exit_code"] == 2
    assert last["data"]["state"] == "failed"
    summary = tenant.got("/runs")["items"][0]
    assert last["data"] == summary


def test_a_stream_that_broke_goes_on_where_it_ended(tenant: Caller) -> None:
    with opened(tenant) as stream:
        tenant.schedule(name="a")
        first = stream.next()
    tenant.schedule(name="b")
    tenant("DELETE", "/schedules/a")
    with opened(tenant, Last_Event_ID=first["id"]) as stream:
        tenant.schedule(name="c")
        told = [stream.next() for _ in range(3)]
    assert [(e["type"], e["data"]["name"]) for e in told] == [
        ("schedule.created", "b"),
        ("schedule.deleted", "a"),
        ("schedule.created", "c"),
    ]
    with opened(tenant, f"?after={told[1]['id']}") as stream:
        assert stream.next() == told[2]


def test_a_stream_holds_what_was_asked_for_alone(tenant: Caller) -> None:
    tenant.schedule(name="a")
    with (
        opened(tenant, "?types=schedule.deleted,worker.*") as deleted,
        opened(tenant, "?schedule=a") as ours,
    ):
        tenant.schedule(name="b")
        tenant("PATCH", "/schedules/a", {"description": "changed"})
        tenant.worker()
        tenant("DELETE", "/schedules/b")
        tenant("POST", "/schedules/a/pause")
        assert deleted.types(2) == ["worker.registered", "schedule.deleted"]
        assert ours.types(2) == ["schedule.updated", "schedule.paused"]


def test_a_stream_shows_nothing_of_another_tenant(
    tenant: Caller, admin: Caller
) -> None:
    other = admin.new_tenant()
    with opened(tenant.as_role("viewer")) as stream:
        other.schedule(name="theirs")
        tenant.schedule(name="ours")
        assert stream.next()["data"]["name"] == "ours"


def test_many_events_come_in_order_and_none_twice(tenant: Caller) -> None:
    with opened(tenant, "?types=schedule.created") as stream:
        body = {"schedules": [{"every": "1h", "task": {"command": ["true"]}}] * 30}
        made = tenant.made("/schedules:batch", body)
        wanted = [each["schedule"]["id"] for each in made["results"]]
        told = [stream.next() for _ in wanted]
    assert [each["subject"] for each in told] == wanted
    ids = [each["id"] for each in told]
    assert ids == sorted(set(ids))


def test_without_a_wish_events_are_a_stream(tenant: Caller) -> None:
    with tenant("GET", "/events", stream=True) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["X-Accel-Buffering"] == "no"
    head = tenant("HEAD", "/events")
    assert (head.status_code, head.content) == (200, b"")


def test_who_polls_reads_pages(tenant: Caller) -> None:
    empty = paged(tenant)
    assert empty["items"] == []
    for name in ("a", "b", "c"):
        tenant.schedule(name=name)
    first = paged(tenant, f"?limit=2&after={empty['next']}")
    assert [e["data"]["name"] for e in first["items"]] == ["a", "b"]
    assert first["next"] == first["items"][-1]["id"]
    second = paged(tenant, f"?limit=2&after={first['next']}")
    assert [e["data"]["name"] for e in second["items"]] == ["c"]
    third = paged(tenant, f"?after={second['next']}")
    assert third["items"] == []
    tenant.schedule(name="d")
    fourth = paged(tenant, f"?after={third['next']}")
    assert [e["data"]["name"] for e in fourth["items"]] == ["d"]
    assert len(paged(tenant, "?types=schedule.*&schedule=d")["items"]) == 1


def test_what_can_not_be_asked_for_is_refused(tenant: Caller) -> None:
    for query in (
        "?types=run.failled",
        "?types=run.*,",
        "?after=evt_1",
        "?after=run_00000000000000000000000001",
        "?after=evt_7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "?limit=0",
        "?cursor=x",
    ):
        answer = tenant("GET", f"/events{query}", headers=PAGES)
        assert kind(answer) == (400, "invalid-parameter"), query
    resumed = tenant("GET", "/events", headers={"Last-Event-ID": "1"})
    assert kind(resumed) == (400, "invalid-parameter")
    near = tenant("GET", "/events?types=run.failled", headers=PAGES)
    assert 'did you mean "run.failed"?' in near.text.replace("\\", "")
    assert kind(tenant("GET", "/events?schedule=none")) == (404, "not-found")


def test_the_end_of_the_service_ends_streams_and_the_next_goes_on(
    tmp_path: Any,
) -> None:
    home = tmp_path / "home"
    with running_service(home) as service:
        caller = Caller(service.url, service.admin_key)
        with opened(caller) as stream:
            caller.schedule(name="a")
            first = stream.next()
            assert service.stop() == 0
            assert [line for line in stream.lines if line] == []
        port = service.port
    with running_service(home, port=port) as again:
        caller = Caller(again.url, again.admin_key)
        caller.schedule(name="b")
        with opened(caller, Last_Event_ID=first["id"]) as stream:
            assert stream.next()["data"]["name"] == "b"
