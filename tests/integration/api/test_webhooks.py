"""Webhooks of a real service, with real receivers."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crony.testing.service import ServiceProcess, running_service
from tests.integration.api.caller import Caller, kind, pointers
from tests.receiver import Answer, Got, Receiver, receiving

pytestmark = pytest.mark.xdist_group("api-webhooks")

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service that may send to loopback."""
    home = tmp_path_factory.mktemp("sender") / "home"
    with running_service(home, webhook_allow="127.0.0.1/32") as process:
        yield process
        log = process.log.read_text()
    assert "Traceback" not in log, log[-4000:]
    assert SECRET not in log


@pytest.fixture
def caller(sender: ServiceProcess) -> Caller:
    """The admin, in a tenant of this test alone."""
    return Caller(sender.url, sender.admin_key).new_tenant()


def put(caller: Caller, name: str, /, **members: Any) -> Any:
    """Make or change a webhook; return the answer."""
    answer = caller("PUT", f"/webhooks/{name}", members)
    assert answer.ok, answer.text
    return answer.json()


def deliveries(caller: Caller, name: str) -> list[Any]:
    items: list[Any] = caller.got(f"/webhooks/{name}/deliveries")["items"]
    return items


def test_what_happens_is_sent_signed_in_order_and_as_events_have_it(
    caller: Caller,
) -> None:
    with receiving() as receiver:
        made = put(caller, "w", url=receiver.url + "/in", types=["schedule.*"])
        for name in ("a", "b", "c"):
            caller.schedule(name=name)
        got = [receiver.next() for _ in range(3)]
    assert all(each.is_signed_with(made["secret"]) for each in got)
    assert {each.path for each in got} == {"/in"}
    events = caller.got(
        "/events?types=schedule.*", headers={"Accept": "application/json"}
    )
    assert [each.event for each in got] == events["items"]


def test_a_refused_event_is_sent_again(caller: Caller) -> None:
    answers = iter([Answer(500, b"not now"), Answer()])
    with receiving(lambda _: next(answers)) as receiver:
        put(caller, "w", url=receiver.url)
        caller.schedule(name="a")
        first, second = receiver.next(), receiver.next()
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        timestamps = [int(g.headers["webhook-timestamp"]) for g in (first, second)]
        assert 4 <= timestamps[1] - timestamps[0] <= 8


def test_a_dead_endpoint_delays_no_other(caller: Caller) -> None:
    let_go = threading.Event()

    def stuck(_: Got) -> Answer:
        let_go.wait(30)
        return Answer()

    with receiving(stuck) as dead, receiving() as receiver:
        put(caller, "dead", url=dead.url)
        put(caller, "w", url=receiver.url, types=["schedule.created"])
        for name in "abcdefgh":
            caller.schedule(name=name)
        told = [receiver.next().event["data"]["name"] for _ in range(8)]
        let_go.set()
    assert told == list("abcdefgh")


def test_a_killed_service_loses_no_event(tmp_path: Path) -> None:
    home = tmp_path / "home"
    up = threading.Event()
    settings = {"webhook_allow": "127.0.0.1", "processes": "2"}

    def answer(_: Got) -> Answer:
        return Answer(200 if up.is_set() else 503)

    with receiving(answer) as receiver:
        with running_service(home, **settings) as service:
            caller = Caller(service.url, service.admin_key)
            put(caller, "w", url=receiver.url, types=["schedule.created"])
            wanted = [caller.schedule(name=f"s{n}")["id"] for n in range(20)]
            receiver.next()
            service.kill()
        up.set()
        with running_service(home, port=service.port, **settings) as service:
            told: list[str] = []
            while not set(wanted) <= set(told):
                told.append(receiver.next().event["subject"])


def test_a_secret_is_shown_once_and_kept_or_replaced(
    caller: Caller, sender: ServiceProcess
) -> None:
    url = "https://hooks.invalid/x"
    made = put(caller, "w", url=url, paused=True)
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    read = caller.got("/webhooks/w")
    assert "secret" not in read
    assert made == {**read, "secret": made["secret"]}
    assert "secret" not in caller.got("/webhooks")["items"][0]
    again = put(caller, "w", url=url, paused=True, description="changed")
    assert (again["secret"], again["revision"]) == (None, 2)
    with receiving() as receiver:
        put(caller, "w", url=receiver.url, paused=True)
        caller.made("/webhooks/w/ping")
        assert receiver.next().is_signed_with(made["secret"])
        given = put(caller, "w", url=receiver.url, paused=True, secret=SECRET)
        assert given["secret"] is None
        caller.made("/webhooks/w/ping")
        assert receiver.next().is_signed_with(SECRET)
    assert made["secret"] not in sender.log.read_text()


def test_a_webhook_is_read_back_changed_and_removed(caller: Caller) -> None:
    body = {"url": "https://hooks.invalid/", "types": ["run.failed"], "paused": True}
    answer = caller("PUT", "/webhooks/w", body, headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"1"')
    assert answer.headers["Location"] == "/webhooks/w"
    read = caller("GET", "/webhooks/w")
    assert read.headers["ETag"] == '"1"'
    assert put(caller, "w", **read.json())["revision"] == 1
    exists = caller("PUT", "/webhooks/w", body, headers={"If-None-Match": "*"})
    assert kind(exists) == (412, "revision")
    changed = {**body, "types": ["worker.*", "worker.*"]}
    stale = caller("PUT", "/webhooks/w", changed, headers={"If-Match": '"7"'})
    assert kind(stale) == (412, "revision")
    right = caller("PUT", "/webhooks/w", changed, headers={"If-Match": '"1"'})
    assert (right.json()["revision"], right.json()["types"]) == (2, ["worker.*"])
    same = caller("GET", "/webhooks/w", headers={"If-None-Match": '"2"'})
    assert same.status_code == 304
    assert caller("DELETE", "/webhooks/w").status_code == 204
    assert kind(caller("GET", "/webhooks/w")) == (404, "not-found")
    assert kind(caller("GET", "/webhooks/w/deliveries")) == (404, "not-found")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:8640/",
        "http://10.0.0.7/",
        "http://2130706434/",
        "http://[fd00:ec2::254]/",
        "ftp://example.org/",
        "https://user:password@example.org/",
        "https://example.org/#part",
        "https://",
        "https://exa mple.org/",
        "https://example.org:99999/",
        "https://example.org:0/",
        "//example.org/",
        "https://gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n.example/",
        "https://example.org/" + "x" * 2048,
    ],
)
def test_what_is_no_place_to_send_to_is_refused(caller: Caller, url: str) -> None:
    answer = caller("PUT", "/webhooks/w", {"url": url})
    assert pointers(answer) == {"/url"}
    assert "password" not in answer.text.replace("user and password", "")


def test_faults_come_all_at_once_and_quote_no_secret(caller: Caller) -> None:
    body = {
        "url": 7,
        "types": ["run.*", "run.fail"],
        "secret": "whsec_hunter2",
        "pause": True,
    }
    answer = caller("PUT", "/webhooks/w", body)
    assert pointers(answer) == {"/url", "/types/1", "/secret", "/pause"}
    assert "hunter2" not in answer.text
    assert pointers(caller("PUT", "/webhooks/W%20W", {"url": "https://e.org"})) == {""}


def test_a_name_that_leads_home_is_refused_when_it_is_sent_to(
    tenant: Caller,
) -> None:
    with receiving() as receiver:
        # Nobody looks a name up before there is something to send.
        url = receiver.url.replace("127.0.0.1", "localhost")
        put(tenant, "w", url=url, types=["schedule.*"])
        tried = tenant.made("/webhooks/w/ping")
        assert tried["state"] == "failed"
        assert "webhook_allow" in tried["error"]
        tenant.schedule(name="a")
        until = time.monotonic() + 20
        while not (sent := deliveries(tenant, "w")) or not sent[0]["tries"]:
            assert time.monotonic() < until
        assert "webhook_allow" in sent[0]["error"]
        assert receiver.empty


def test_deliveries_tell_how_they_went_and_can_be_sent_again(caller: Caller) -> None:
    answers = iter([Answer(410, b"moved away"), Answer()])
    with receiving(lambda _: next(answers)) as receiver:
        put(caller, "w", url=receiver.url, types=["schedule.*"])
        caller.schedule(name="a")
        event = receiver.next().event
        paused_by(caller, "w")
        (failed,) = deliveries(caller, "w")
        assert failed["event"] == event["id"]
        assert (failed["type"], failed["state"]) == ("schedule.created", "failed")
        assert (failed["status"], failed["tries"]) == (410, 1)
        assert failed["error"] == "status 410: moved away"
        assert failed["next_at"] is None
        path = f"/webhooks/w/deliveries/{event['id']}/retry"
        assert caller.made(path)["state"] == "pending"
        put(caller, "w", url=receiver.url, types=["schedule.*"])
        assert receiver.next().event == event


def paused_by(caller: Caller, name: str) -> None:
    """Wait for the service to pause a webhook, as an operator would look for it."""
    until = time.monotonic() + 20
    while not caller.got(f"/webhooks/{name}")["paused"]:
        assert time.monotonic() < until


def test_webhooks_are_for_operators(caller: Caller) -> None:
    for role in ("viewer", "editor"):
        answer = caller.as_role(role)("GET", "/webhooks")
        assert kind(answer) == (403, "role")
    assert caller.as_role("operator").got("/webhooks")["items"] == []


def test_a_deleted_webhook_gets_nothing_more(caller: Caller) -> None:
    with receiving() as receiver, receiving() as other:
        put(caller, "w", url=receiver.url, types=["schedule.*"])
        put(caller, "other", url=other.url, types=["schedule.*"])
        caller.schedule(name="a")
        drained(receiver, other)
        assert caller("DELETE", "/webhooks/w").status_code == 204
        caller.schedule(name="b")
        assert other.next().event["data"]["name"] == "b"
        assert receiver.empty


def drained(*receivers: Receiver) -> None:
    """Take one request from each."""
    for receiver in receivers:
        receiver.next()
