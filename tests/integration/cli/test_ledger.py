"""`crony why`, `occurrences`, `audit` and `backfill` against a real service."""

from __future__ import annotations

import json

import pytest

from crony.client import Client
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.xdist_group("cli-ledger")


def test_why_says_what_a_run_waits_for(crony: Shell) -> None:
    crony("add", "waits", "--at", "now", "--queue", "nobody", "--", "date").ok()
    out = crony("why", "waits").ok()
    assert "no_worker" in out
    found = json.loads(crony("why", "waits", "--json").ok())
    assert found["detail"] in out
    assert found["run"] in out


def test_why_of_an_instant_that_is_none_names_the_next(crony: Shell) -> None:
    crony("add", "later", "--cron", "30 2 1 1 *", "--", "date").ok()
    found = json.loads(crony("why", "later", "--at", "now", "--json").ok())
    assert found["occurrence"] is None
    assert found["after"].endswith("-01-01T02:30:00.000Z")
    assert "03:30:00 CET" in crony("why", "later", "--at", "now").ok()
    assert crony("why", "later", "--at", "soon").code == 1
    assert crony("why", "nobody").code == 3


def test_occurrences_to_come_are_listed_on_this_machines_clock(crony: Shell) -> None:
    crony("add", "hourly", "--cron", "0 * * * *", "--", "date").ok()
    span = ("--from", "2031-07-01", "--to", "2031-07-01T12:00")
    lines = crony("occurrences", "hourly", *span).ok().splitlines()
    assert len(lines) == 1 + 12
    assert "Tue 2031-07-01 00:00:00 CEST" in lines[1]
    assert "upcoming" in lines[1]

    cut = crony("occurrences", "hourly", *span, "-n", "5")
    assert len(cut.ok().splitlines()) == 1 + 5
    assert "there is more" in cut.err
    found = json.loads(crony("occurrences", "hourly", *span, "--json").ok())
    assert [item["at"] for item in found["items"]][:2] == [
        "2031-06-30T22:00:00.000Z",
        "2031-06-30T23:00:00.000Z",
    ]
    assert found["next"] is None


def test_more_occurrences_than_a_page_has_are_walked(crony: Shell) -> None:
    crony("add", "seconds", "--cron", "* * * * * *", "--paused", "--", "date").ok()
    span = ("--from", "2031-07-01T00:00", "--to", "2031-07-01T00:30")
    out = crony("occurrences", "seconds", *span, "-n", "1500", "--json").ok()
    found = json.loads(out)
    assert len({item["at"] for item in found["items"]}) == 1500
    assert found["next"] is not None


def test_a_span_is_backfilled_once_it_was_looked_at(
    crony: Shell, client: Client
) -> None:
    crony(
        "add", "filled", "--cron", "0 * * * *", "--queue", "nobody", "--", "date"
    ).ok()
    span = ("--from", "2026-01-01", "--to", "2026-01-01T12:00")
    tried = crony("backfill", "filled", *span, "--dry-run").ok()
    assert tried.splitlines()[0] == "12 runs would be made"
    assert "Thu 2026-01-01 00:00:00 CET" in tried
    assert client.list_runs("filled", until="2026-01-02T00:00:00Z")["items"] == []

    made = crony("backfill", "filled", *span)
    assert made.ok().splitlines()[0] == "12 runs made; due now, oldest first"
    assert "and 2 more" in made.err
    runs = client.list_runs("filled", until="2026-01-02T00:00:00Z")["items"]
    assert isinstance(runs, list)
    assert len(runs) == 12
    assert {run["origin"] for run in runs} == {"backfill"}


def test_a_backfill_needs_its_span(crony: Shell) -> None:
    done = crony("backfill", "filled", "--from", "2026-01-01")
    assert (done.code, "--to" in done.err) == (2, True)


def test_an_audit_counts_what_it_checked_and_finds_no_gap(crony: Shell) -> None:
    crony("add", "checked", "--at", "now", "--", "date").ok()
    assert crony("audit", "checked").ok() == (
        "1 occurrence of 1 schedule checked: none without a record\n"
    )
    found = json.loads(crony("audit", "--json").ok())
    assert found["gaps"] == []
    assert found["schedules"] >= 1
    assert crony("audit", "nobody").code == 3
