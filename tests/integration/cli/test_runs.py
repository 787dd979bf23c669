"""Runs, followed from the command line while a real worker executes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Shell

pytestmark = [pytest.mark.xdist_group("cli-runs"), pytest.mark.usefixtures("worker")]

NEVER = ("--cron", "0 0 1 1 *")


def test_a_run_is_followed_to_its_end(crony: Shell) -> None:
    crony("add", "good", *NEVER, "--shell", "echo one; echo two >&2").ok()
    done = crony("run", "good", "--wait")
    assert done.ok().splitlines() == ["one", "two"]
    assert "succeeded after" in done.err


def test_a_run_that_fails_ends_with_one(crony: Shell) -> None:
    crony("add", "bad", *NEVER, "--shell", "echo broken; exit 3").ok()
    done = crony("run", "bad", "--wait")
    assert done.code == 1
    assert done.out == "broken\n"
    assert "failed (exit code 3)" in done.err

    shown = crony("show", "bad").ok()
    assert "exit code 3" in shown
    again = crony("retry", _newest(crony, "bad"), "--wait", "--json")
    assert again.code == 1
    retried = json.loads(again.out)
    assert (retried["origin"], retried["state"]) == ("retry", "failed")


def test_a_run_may_have_other_variables_and_input(crony: Shell) -> None:
    crony("add", "other", *NEVER, "--env", "A=1", "--shell", "echo $A; cat").ok()
    done = crony("run", "other", "--wait", "--env", "A=2", "--stdin", "-", stdin="in")
    assert done.ok() == "2\nin"


def test_the_output_of_a_run_is_printed_as_it_was(crony: Shell) -> None:
    crony("add", "loud", *NEVER, "--shell", r"printf 'caf\303\251\n'").ok()
    crony("run", "loud", "--wait").ok()
    run = _newest(crony, "loud")
    assert crony("logs", run).ok() == "café\n"
    assert crony("logs", "loud").ok() == "café\n"
    assert crony("logs", "-f", run).ok() == "café\n"
    assert crony("logs", "--attempt", "1", run).ok() == "café\n"
    assert crony("logs", "--attempt", "9", run).code == 3


def test_a_running_run_is_cancelled(crony: Shell, tmp_path: Path) -> None:
    crony("add", "long", *NEVER, "--shell", "echo begun; sleep 1000").ok()
    run = crony("run", "long").ok().strip()
    assert run.startswith("run_")
    assert run in crony("cancel", run).ok()
    crony("logs", "-f", run).ok()
    found = json.loads(crony("runs", "long", "--json").ok())
    assert [item["id"] for item in found["items"]] == [run]
    again = crony("cancel", run)
    assert (again.code, "crony retry" in again.err) == (1, True)


def test_runs_are_listed_newest_first_with_their_outcome(crony: Shell) -> None:
    crony("add", "twice", *NEVER, "--shell", "exit 4").ok()
    assert [crony("run", "twice", "--wait").code for _ in range(2)] == [1, 1]
    lines = crony("runs", "twice").ok().splitlines()
    assert len(lines) == 3
    assert all("failed" in line and "exit code 4" in line for line in lines[1:])
    assert lines[1].split()[0] == _newest(crony, "twice")
    assert len(crony("runs", "twice", "-n", "1").ok().splitlines()) == 2
    assert "no runs yet" in crony("runs", "twice", "--state", "succeeded").err


def test_workers_are_listed_and_shown(crony: Shell) -> None:
    # A run that ended is the sign that the worker is there.
    crony("add", "sign", *NEVER, "--shell", "true").ok()
    crony("run", "sign", "--wait").ok()
    lines = crony("workers").ok().splitlines()
    assert len(lines) == 2
    assert "online" in lines[1]
    identity = lines[1].split()[-1]
    assert identity in crony("workers", "show", identity).ok()
    assert crony("workers", "show", "wrk_" + "0" * 26).code == 3


def _newest(crony: Shell, schedule: str) -> str:
    found = json.loads(crony("runs", schedule, "-n", "1", "--json").ok())
    return str(found["items"][0]["id"])
