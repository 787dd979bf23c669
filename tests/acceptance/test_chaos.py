"""Kill and stop everything at random: every second stays accounted for.

``CRONY_CHAOS_SECONDS`` (30) is for how long, ``CRONY_CHAOS_SEED`` which course.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from crony.client import Client
from crony.client.transport import Answer
from tests.acceptance import accounts, follower
from tests.acceptance.faults import Chaos
from tests.acceptance.fleet import Fleet
from tests.acceptance.follower import Follower
from tests.acceptance.plans import GROUP, GROUP_LIMIT, PLANS
from tests.acceptance.witness import Witness

_log = logging.getLogger(__name__)

SECONDS = float(os.environ.get("CRONY_CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("CRONY_CHAOS_SEED", "1"))

#: Short, so that what is lost returns within the test.
LEASE = 5.0

#: How long the machine may take to run what is left; it has other things to do.
PATIENCE = 180 + 2 * SECONDS

#: A schedule that is never due: its creation and deletion are places in the events.
_MARK = "mark"


@pytest.fixture
def witness() -> Iterator[Witness]:
    # Not below pytest's own folder, which it keeps from the tasks' user ids.
    with tempfile.TemporaryDirectory(prefix="crony-witness-") as folder:
        Path(folder).chmod(0o711)
        yield Witness(Path(folder) / "witness")


@pytest.fixture
def fleet(tmp_path: Path, witness: Witness) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, lease_ttl=LEASE, rw_path=witness.folder, workers=3)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.close()


def follow(fleet: Fleet) -> list[Follower]:
    """Follow what happens from now on, once at each node."""
    after = fleet.ask(Client.newest_event)
    followers = [
        Follower(node.name, fleet.client(node), after=after, last=_MARK)
        for node in fleet.nodes
    ]
    for one in followers:
        one.start()
    return followers


def create(client: Client, witness: Witness) -> dict[str, Answer]:
    """Create the schedules under test; return them as they were created, by name."""
    client.put_group(GROUP, {"max_concurrent": GROUP_LIMIT})
    made = {}
    for plan in PLANS:
        body = plan.body(command=witness.task(plan), folder=str(witness.folder))
        made[plan.name] = client.create_schedule(body)
    return made


def drain(fleet: Fleet, followers: list[Follower]) -> dict[str, Answer]:
    """Let nothing more come due, and wait until all is over; return the pauses."""
    paused = {
        plan.name: fleet.ask(partial(Client.pause_schedule, schedule=plan.name))
        for plan in PLANS
    }
    mark = {"name": _MARK, "every": "1h", "paused": True, "task": {"command": "true"}}
    fleet.ask(lambda client: client.create_schedule(mark))
    told = follower.about("schedule.created", _MARK)
    for one in followers:
        assert one.wait_for(told, within=PATIENCE), one.name
    _log.info("nothing more comes due")
    # All that came due is told of; what follows are ends.
    over = followers[0].wait_for(follower.none_open, within=PATIENCE)
    assert over, follower.still_open(followers[0].events())
    _log.info("all of it is over")
    fleet.ask(lambda client: client.delete_schedule(_MARK))
    gone = follower.about("schedule.deleted", _MARK)
    for one in followers:
        assert one.wait_for(gone, within=PATIENCE), one.name
    return paused


def ledger_of(client: Client) -> list[Mapping[str, object]]:
    return [client.get_run(str(run["id"])) for run in client.each_run()]


@pytest.mark.timeout(3 * PATIENCE + 600)
def test_every_second_is_accounted_for_once_whatever_is_killed_or_stopped(
    fleet: Fleet, witness: Witness
) -> None:
    followers = follow(fleet)
    created = create(fleet.client(fleet.nodes[0]), witness)
    chaos = Chaos(fleet, seed=SEED, lease=LEASE)

    chaos.rage(seconds=SECONDS)
    chaos.calm()
    paused = drain(fleet, followers)

    client = fleet.client(fleet.nodes[0])
    ledger = ledger_of(client)
    heard = [one.events() for one in followers]
    faults = witness.disagreements(ledger, killed=chaos.killed)
    faults += follower.faults(heard[0], ledger)
    faults += accounts.by_hand(ledger, chaos.triggered)
    for plan in PLANS:
        within = accounts.span(created=created[plan.name], paused=paused[plan.name])
        faults += accounts.faults(client, plan, within)
    if heard[0] != heard[1]:
        faults.append("the nodes tell different stories")
    story = f"seed {SEED}: {chaos.story}\n{fleet.tail()}"
    assert not faults, "\n".join([*faults[:50], f"{len(faults)} in all", story])
