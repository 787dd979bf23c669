"""Three equal nodes before one store, on hosts whose wall clocks are wrong.

Nodes are killed and started again, and stand still for a while, at random. Workers
are not: so there is always one that holds its leases, and nothing may be lost.

``CRONY_CHAOS_SECONDS`` (6) is for how long, ``CRONY_CHAOS_SEED`` which course.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet
from tests.acceptance.outages import Outages
from tests.acceptance.plans import PLANS
from tests.acceptance.trial import Trial
from tests.acceptance.witness import Ledger, Line, Witness
from tests.folders import Folders
from tests.storage.stands import SHARED, make_stand

SECONDS = float(os.environ.get("CRONY_CHAOS_SECONDS", "6"))
SEED = int(os.environ.get("CRONY_CHAOS_SEED", "1"))

#: Much longer than no node answers, much shorter than the clocks are apart.
LEASE = 15.0
SHIFTS = (timedelta(minutes=-7), timedelta(0), timedelta(minutes=11))

PATIENCE = 240 + 2 * SECONDS

#: How much may pass between the instant and a task's own look at the clock.
_EARLY = timedelta(milliseconds=5)


#: Those that nodes of several hosts share, and that differ in what becomes of them. Of
#: a store that is a file, all nodes are on one host, and it is that host's clock.
STORES = [name for name in SHARED if name not in ("mongodb", "sqlite")]


@pytest.fixture(params=STORES)
def fleet(
    request: pytest.FixtureRequest, tmp_path: Path, in_memory: Folders, witness: Witness
) -> Iterator[Fleet]:
    stand = make_stand(request.param, in_memory(request.param))
    try:
        url = stand.fresh()
        fleet = Fleet(
            tmp_path,
            lease_ttl=LEASE,
            rw_path=witness.folder,
            workers=2,
            processes=(2, 2, 2),
            storage=url,
            apart=True,
            shifts=SHIFTS,
        )
        try:
            fleet.start()
            yield fleet
        finally:
            fleet.close()
    finally:
        stand.close()


@pytest.mark.timeout(3 * PATIENCE + 600)
def test_nodes_come_and_go_and_every_second_is_accounted_for_once(
    fleet: Fleet, witness: Witness
) -> None:
    trial = Trial(fleet, witness, patience=PATIENCE)
    outages = Outages(fleet, seed=SEED)

    outages.go_on(seconds=SECONDS)
    outages.calm()
    trial.end()

    faults = trial.faults(killed=(), triggered=outages.triggered)
    faults += _lost(witness.lines(), trial.ledger)
    faults += _early(witness.lines(), trial.ledger)
    story = f"seed {SEED}: {outages.story}\n{fleet.tail()}"
    assert not faults, "\n".join([*faults[:50], f"{len(faults)} in all", story])


def _lost(lines: list[Line], ledger: Ledger) -> list[str]:
    """Return in words which leases did not live as long as their worker held them.

    One whose confirmation was answered too late was let go before it began.
    """
    begun = {line.key for line in lines if line.word == "start"}
    found = []
    for run in ledger:
        attempts = run["attempts"]
        assert isinstance(attempts, list)
        found += [
            f"{run['id']}: {attempt}"
            for attempt in attempts
            if attempt["state"] == "lost" and (run["id"], attempt["attempt"]) in begun
        ]
    return found


def _early(lines: list[Line], ledger: Ledger) -> list[str]:
    """Return in words which tasks began before their instant, by the true clock."""
    fail_first = {plan.name for plan in PLANS if plan.fails_first}
    due = {
        str(run["id"]): datetime.fromisoformat(str(run["scheduled_for"]))
        for run in ledger
        if run["schedule_name"] not in fail_first
    }
    return [
        f"{line}: was due at {due[line.run]}"
        for line in lines
        if line.word == "start"
        and line.run in due
        and line.at < (due[line.run] - _EARLY).timestamp() * 1e9
    ]
