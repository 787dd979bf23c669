"""`crony export` and `crony import`: from a real service into another."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crony import errors
from crony.client import Client
from crony.testing.service import ServiceProcess, running_service
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.xdist_group("cli-moving")

#: What a schedule has that is due in years.
IDLE = {"cron": "0 0 1 1 *", "task": {"command": ["true"]}}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[ServiceProcess]:
    with running_service(tmp_path / "source") as service:
        yield service


@pytest.fixture
def target(tmp_path: Path) -> Iterator[ServiceProcess]:
    with running_service(tmp_path / "target") as service:
        yield service


def client_of(service: ServiceProcess) -> Client:
    return Client(service.url, key=service.admin_key)


def fill(client: Client, *, schedules: int, runs: int) -> None:
    """Make schedules, and runs that wait: there is no worker."""
    bodies = [{"name": f"job-{n:05}", **IDLE} for n in range(schedules)]
    for first in range(0, schedules, 1000):
        client.batch_schedules(bodies[first : first + 1000])
    for number in range(runs):
        client.run_schedule(f"job-{number % schedules:05}")


def names(client: Client) -> set[str]:
    return {str(each["name"]) for each in client.each_schedule()}


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.05)


def ids(client: Client) -> set[str]:
    return {str(each["id"]) for each in client.each_run()}


def test_a_tenant_moves_from_one_service_into_another(
    source: ServiceProcess, target: ServiceProcess, tmp_path: Path
) -> None:
    there, here = Shell(source), Shell(target)
    fill(client_of(source), schedules=3, runs=5)
    key = client_of(source).create_key({"role": "viewer"})["key"]
    path = tmp_path / "crony.ndjson"
    done = there("export", "-o", str(path))
    assert done.code == 0, done.err
    assert "crony export --hold" in done.err
    assert "exported 3 schedules and 5 runs" in done.err
    assert path.stat().st_mode & 0o777 == 0o600
    out = here("import", str(path)).ok()
    assert "default: held, nothing comes due" in out
    assert names(client_of(target)) == names(client_of(source))
    assert ids(client_of(target)) == ids(client_of(source))
    listed = here("ls")
    assert "the tenant is held" in listed.err
    assert "crony import --activate" in listed.err
    assert "held" in here("why", "job-00000").ok()
    assert client_of(target).get_tenant("default")["held"] is True
    # Held tenants are counted now and then.
    until(lambda: client_of(target).ready()["held_tenants"] == 1)
    # A last one brings what came since, and lets it go there.
    client_of(source).run_schedule("job-00001")
    last = tmp_path / "last.ndjson"
    there("export", "--hold", "-o", str(last)).ok()
    assert client_of(source).get_tenant("default")["held"] is True
    out = here("import", str(last), "--activate").ok()
    assert out.endswith("default: activated\n")
    assert ids(client_of(target)) == ids(client_of(source))
    assert client_of(target).get_tenant("default")["held"] is False
    assert "held" not in here("ls").err
    # Keys that worked there work here.
    assert Client(target.url, key=str(key)).get_tenant("default")["name"] == "default"
    # What is at work takes nothing in any more.
    refused = here("import", str(last))
    assert refused.code == 1
    assert "has 3 schedules of its own and is not held" in refused.err


def test_an_import_that_is_killed_goes_on_from_where_it_was(
    source: ServiceProcess, target: ServiceProcess, tmp_path: Path
) -> None:
    there, here = Shell(source), Shell(target)
    fill(client_of(source), schedules=800, runs=0)
    path = tmp_path / "crony.ndjson"
    there("export", "-o", str(path)).ok()
    importing = subprocess.Popen(
        [sys.executable, "-m", "crony.cli.main", "import", str(path)],
        env=here.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while not client_of(target).stats()["schedules"]["active"]:  # type: ignore[index,call-overload]  # JSON
            assert time.monotonic() < until
            assert importing.poll() is None
    finally:
        importing.send_signal(signal.SIGKILL)
        importing.wait()
    # So is the service, in the middle of whatever it did last.
    target.kill()
    assert names_in(target.home) < names(client_of(source))
    with running_service(target.home, port=target.port) as again:
        out = Shell(again)("import", str(path), "--activate").ok()
        assert "unchanged" in out
        assert names(client_of(again)) == names(client_of(source))


def names_in(home: Path) -> set[str]:
    """Return the names of the schedules in a service's store."""
    from crony.storage import open_store
    from crony.storage.contract import Position, ScheduleQuery

    store = open_store("sqlite:///crony.db", home=home)
    store.open()
    found: set[str] = set()
    after: Position | None = None
    while True:
        page = store.schedules.page("default", ScheduleQuery(), limit=999, after=after)
        found |= {str(each.definition.name) for each in page.items}
        after = page.next
        if after is None:
            store.close()
            return found


def test_a_bad_line_is_named_and_loses_nothing_else(
    source: ServiceProcess, target: ServiceProcess, tmp_path: Path
) -> None:
    fill(client_of(source), schedules=4, runs=0)
    path = tmp_path / "crony.ndjson"
    Shell(source)("export", "-o", str(path)).ok()
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if '"schedule"' in line) + 1
    spoilt = json.loads(lines[number])
    spoilt["value"]["limit"] = "many"
    lines[number] = json.dumps(spoilt)
    path.write_text("\n".join(lines) + "\n")
    done = Shell(target)("import", str(path), "--activate")
    assert done.code == 1
    assert f"{path}:{number + 1}: refused: /value/limit: must be" in done.err
    assert "held, nothing comes due" in done.out
    assert len(names(client_of(target))) == 3
    whole = Shell(target)("import", str(path), "--json")
    said = json.loads(whole.out)
    assert (said["refused"], said["stored"], said["activated"]) == (1, 0, [])
    assert said["faults"][0]["line"] == number + 1


def test_an_import_goes_on_at_a_line(
    source: ServiceProcess, target: ServiceProcess, tmp_path: Path
) -> None:
    fill(client_of(source), schedules=4, runs=2)
    path = tmp_path / "crony.ndjson"
    Shell(source)("export", "-o", str(path)).ok()
    lines = path.read_text().splitlines(keepends=True)
    begun = tmp_path / "begun.ndjson"
    begun.write_text("".join(lines[:5]))
    done = Shell(target)("import", str(begun))
    assert done.code == 1
    assert "ends early" in done.err
    assert len(names(client_of(target))) < 4
    said = json.loads(Shell(target)("import", str(path), "--from", "6", "--json").ok())
    # Nothing before that line was looked at again.
    assert said["stored"] + said["unchanged"] <= len(lines) - 6
    assert names(client_of(target)) == names(client_of(source))


def test_an_export_that_broke_off_goes_on(
    source: ServiceProcess, tmp_path: Path
) -> None:
    fill(client_of(source), schedules=5, runs=3)
    whole, path = tmp_path / "whole.ndjson", tmp_path / "crony.ndjson"
    there = Shell(source)
    there("export", "-o", str(whole)).ok()
    lines = whole.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:6]) + lines[6][:20])
    again = there("export", "-o", str(path))
    assert again.code == 2
    assert "--resume" in again.err
    there("export", "-o", str(path), "--resume").ok()
    assert path.read_bytes().splitlines()[:-1] == whole.read_bytes().splitlines()[:-1]
    assert path.stat().st_mode & 0o777 == 0o600
    assert "is complete" in there("export", "-o", str(path), "--resume").err


def test_stores_move_without_a_service(source: ServiceProcess, tmp_path: Path) -> None:
    fill(client_of(source), schedules=3, runs=2)
    there = Shell(source)
    assert source.stop() == 0
    exported = there("export", "--storage", "sqlite:///crony.db", "--hold").ok()
    url = f"sqlite:///{tmp_path}/other/crony.db"
    out = there("import", "-", "--storage", url, stdin=exported).ok()
    assert "default: held" in out
    assert there("import", "--activate", "--storage", url).ok() == "activated\n"
    found = names_in(tmp_path / "other")
    assert found == {"job-00000", "job-00001", "job-00002"}


def test_all_tenants_move_together_and_an_operator_moves_its_own(
    source: ServiceProcess, target: ServiceProcess, tmp_path: Path
) -> None:
    admin = client_of(source)
    for name in ("one", "two"):
        admin.put_tenant(name, {})
        inside = Client(source.url, key=source.admin_key, tenant=name)
        inside.create_schedule({"name": f"of-{name}", **IDLE})
    path = tmp_path / "all.ndjson"
    Shell(source)("export", "--all", "--hold", "-o", str(path)).ok()
    out = Shell(target)("import", str(path), "--activate").ok()
    assert "default, one, two: activated" in out
    for name in ("one", "two"):
        inside = Client(target.url, key=target.admin_key, tenant=name)
        assert names(inside) == {f"of-{name}"}
        assert inside.get_tenant(name)["held"] is False
    key = Client(source.url, key=source.admin_key, tenant="one").create_key(
        {"role": "operator"}
    )["key"]
    operator = Client(source.url, key=str(key))
    kinds = [json.loads(line)["kind"] for line in operator.export_records()]
    assert kinds.count("tenant") == 1
    with pytest.raises(errors.Refused) as caught:
        list(operator.export_records(everything=True))
    assert caught.value.kind == "role"
    # It brings in nothing that is another's.
    answer = operator.import_records(path.read_bytes())
    outcomes = {(r["kind"], r["outcome"]) for r in answer["results"]}  # type: ignore[index,union-attr]  # JSON
    assert ("schedule", "stored") not in outcomes


def test_what_runs_at_the_source_ends_before_the_last_export(
    crony: Shell, client: Client, worker: Path, tmp_path: Path
) -> None:
    assert worker.exists()
    task = {"command": ["sleep", "3"]}
    client.create_schedule({"name": "long", "cron": "0 0 1 1 *", "task": task})
    run = client.run_schedule("long")
    while client.get_run(str(run["id"]))["state"] != "running":
        time.sleep(0.05)
    path = tmp_path / "last.ndjson"
    done = crony("export", "--hold", "-o", str(path))
    assert done.code == 0, done.err
    assert "waiting for 1 run to end" in done.err
    states = {
        said["value"]["run"]["state"]
        for line in path.read_text().splitlines()
        if (said := json.loads(line))["kind"] == "run"
    }
    assert "running" not in states
    assert "succeeded" in states
    # The move is called off.
    assert crony("import", "--activate").ok() == "activated\n"
    assert client.get_tenant("default")["held"] is False
