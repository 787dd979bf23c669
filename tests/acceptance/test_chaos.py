"""Kill and stop everything at random: every second stays accounted for.

``CRONY_CHAOS_SECONDS`` (30) is for how long, ``CRONY_CHAOS_SEED`` which course.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults import Chaos
from tests.acceptance.fleet import Fleet
from tests.acceptance.trial import Trial
from tests.acceptance.witness import Witness

SECONDS = float(os.environ.get("CRONY_CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("CRONY_CHAOS_SEED", "1"))

#: Short, so that what is lost returns within the test.
LEASE = 5.0

#: How long the machine may take to run what is left; it has other things to do.
PATIENCE = 180 + 2 * SECONDS


@pytest.fixture
def fleet(tmp_path: Path, witness: Witness) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, lease_ttl=LEASE, rw_path=witness.folder, workers=3)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.close()


@pytest.mark.timeout(3 * PATIENCE + 600)
def test_every_second_is_accounted_for_once_whatever_is_killed_or_stopped(
    fleet: Fleet, witness: Witness
) -> None:
    trial = Trial(fleet, witness, patience=PATIENCE)
    chaos = Chaos(fleet, seed=SEED, lease=LEASE)

    chaos.rage(seconds=SECONDS)
    chaos.calm()
    trial.end()

    faults = trial.faults(killed=chaos.killed, triggered=chaos.triggered)
    story = f"seed {SEED}: {chaos.story}\n{fleet.tail()}"
    assert not faults, "\n".join([*faults[:50], f"{len(faults)} in all", story])
