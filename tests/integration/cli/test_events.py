"""Events as they are listed and followed, also over the end of a service."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crony import errors
from crony.client import Client
from crony.testing.service import free_port, running_service
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.xdist_group("cli-events")

EVERY_DAY = {"cron": "@daily", "task": {"command": "date"}}
SCHEDULES = ("schedule.created", "schedule.deleted")


def names(events: Iterator[dict[str, object]], count: int) -> list[tuple[str, str]]:
    """Return the type and the name of the next events."""
    found = []
    for _ in range(count):
        event = next(events)
        data = event["data"]
        assert isinstance(data, dict)
        found.append((str(event["type"]), str(data["name"])))
    return found


def test_what_happened_is_listed_the_oldest_first(crony: Shell) -> None:
    crony("add", "listed", "--cron", "@daily", "--", "date").ok()
    crony("edit", "listed", "--deadline", "1h").ok()
    crony("rm", "listed").ok()
    lines = crony("events", "--type", "schedule.*").ok().splitlines()
    ours = [line.split()[4:6] for line in lines if " listed " in line]
    assert ours == [
        ["schedule.created", "listed"],
        ["schedule.updated", "listed"],
        ["schedule.deleted", "listed"],
    ]
    newest = json.loads(crony("events", "-n", "1", "--json").ok())["items"]
    assert [event["type"] for event in newest] == ["schedule.deleted"]
    after = crony("events", "--after", newest[0]["id"])
    assert (after.ok(), "nothing of that happened" in after.err) == ("", True)


def test_events_of_a_run_say_how_it_ended(crony: Shell, worker: Path) -> None:
    crony("add", "fails", "--at", "now", "--shell", "exit 3").ok()
    assert worker.exists()
    # The run is followed to its end, so what is told of it is there.
    for event in Client(crony.service.url, key=crony.service.admin_key).events(
        types=["run.failed"], schedule="fails", after=_beginning(crony)
    ):
        assert event["type"] == "run.failed"
        break
    out = crony("events", "--schedule", "fails", "--type", "run.failed").ok()
    assert out.rstrip().endswith("exit code 3")
    assert " fails " in out


def _beginning(crony: Shell) -> str:
    """Return a position before all events of now."""
    (first, *_) = json.loads(crony("events", "--json", "-n", "1000").ok())["items"]
    return str(first["id"])


def test_a_stream_begins_where_it_was_asked_for(client: Client) -> None:
    client.put_schedule("stream-before", EVERY_DAY)
    events = client.events(types=SCHEDULES)
    client.put_schedule("stream-after", EVERY_DAY)
    assert names(events, 1) == [("schedule.created", "stream-after")]


def test_a_stream_goes_on_by_itself_when_the_service_was_killed(tmp_path: Path) -> None:
    port = free_port()
    with running_service(tmp_path / "home", port=port) as service:
        client = Client(service.url, key=service.admin_key)
        events = client.events(types=SCHEDULES)
        client.put_schedule("one", EVERY_DAY)
        assert names(events, 1) == [("schedule.created", "one")]
        client.put_schedule("two", EVERY_DAY)
        service.kill()
    with running_service(tmp_path / "home", port=port) as service:
        client.put_schedule("three", EVERY_DAY)
        client.delete_schedule("one")
        assert names(events, 3) == [
            ("schedule.created", "two"),
            ("schedule.created", "three"),
            ("schedule.deleted", "one"),
        ]


@contextmanager
def following(crony: Shell) -> Iterator[subprocess.Popen[str]]:
    """Follow what is created in a process of its own."""
    argv = ("events", "-f", "--json", "--type", "schedule.created")
    process = subprocess.Popen(
        [sys.executable, "-m", "crony.cli.main", *argv],
        env=crony.environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_a_follower_lives_through_the_end_of_its_service(tmp_path: Path) -> None:
    port = free_port()
    with running_service(tmp_path / "home", port=port) as service:
        crony = Shell(service)
        client = Client(service.url, key=service.admin_key)
        with following(crony) as follower:
            assert follower.stdout is not None
            _until_heard(client, follower)
            assert service.stop() == 0
            with running_service(tmp_path / "home", port=port):
                client.put_schedule("at-last", EVERY_DAY)
                lines = map(json.loads, follower.stdout)
                assert any(event["data"]["name"] == "at-last" for event in lines)
                follower.send_signal(signal.SIGINT)
                assert follower.wait(20) == 130


def _until_heard(client: Client, follower: subprocess.Popen[str]) -> None:
    """Create one after another until the follower is there to hear of one."""
    for number in range(1000):
        client.put_schedule(f"try-{number}", EVERY_DAY)
        if select.select([follower.stdout], [], [], 0.1)[0]:
            return
    raise AssertionError("nothing was heard")


def test_a_stream_without_a_service_is_refused_at_once(client: Client) -> None:
    position = client.newest_event()
    with pytest.raises(errors.ServiceUnreachable):
        next(Client("http://127.0.0.1:1", key="x").events(after=position))


def test_what_waiting_does_not_mend_ends_a_stream(client: Client) -> None:
    with pytest.raises(errors.Refused, match="not a type of event") as caught:
        next(client.events(types=["run.faild"]))
    assert caught.value.status == 400
