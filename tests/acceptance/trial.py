"""What a fleet is put through, whatever is done to it: schedules, readers, an end."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from crony.client import Client
from crony.client.transport import Answer
from tests.acceptance import accounts, follower
from tests.acceptance.fleet import Fleet
from tests.acceptance.follower import Follower
from tests.acceptance.plans import GROUP, GROUP_LIMIT, PLANS
from tests.acceptance.witness import Key, Ledger, Witness

_log = logging.getLogger(__name__)

#: A schedule that is never due: its creation and deletion are places in the events.
_MARK = "mark"


class Trial:
    """The schedules under test, and who follows them at each node."""

    def __init__(self, fleet: Fleet, witness: Witness, *, patience: float) -> None:
        """``patience`` is how long the machine may take to run what is left."""
        self._fleet = fleet
        self._witness = witness
        self._patience = patience
        self._paused: dict[str, Answer] = {}
        self.ledger: Ledger = ()
        after = fleet.ask(Client.newest_event)
        self._followers = [
            Follower(node.name, fleet.client(node), after=after, last=_MARK)
            for node in fleet.nodes
        ]
        for one in self._followers:
            one.start()
        self._created = self._create()

    def _create(self) -> dict[str, Answer]:
        """Create the schedules; return them as they were created, by name."""
        ask = self._fleet.ask
        ask(lambda client: client.put_group(GROUP, {"max_concurrent": GROUP_LIMIT}))
        made = {}
        for plan in PLANS:
            command, folder = self._witness.task(plan), str(self._witness.folder)
            create = partial(
                Client.create_schedule,
                body=plan.body(command=command, folder=folder),
                idempotency_key=f"trial-{plan.name}",
            )
            made[plan.name] = ask(create)
        return made

    def end(self) -> None:
        """Let nothing more come due, and wait until all is over."""
        fleet = self._fleet
        self._paused = {
            plan.name: fleet.ask(partial(Client.pause_schedule, schedule=plan.name))
            for plan in PLANS
        }
        mark = {
            "name": _MARK,
            "every": "1h",
            "paused": True,
            "task": {"command": "true"},
        }
        fleet.ask(lambda client: client.create_schedule(mark))
        self._wait_for_all(follower.about("schedule.created", _MARK))
        _log.info("nothing more comes due")
        # All that came due is told of; what follows are ends.
        first = self._followers[0]
        over = first.wait_for(follower.none_open, within=self._patience)
        assert over, follower.still_open(first.events())
        _log.info("all of it is over")
        fleet.ask(lambda client: client.delete_schedule(_MARK))
        self._wait_for_all(follower.about("schedule.deleted", _MARK))
        self.ledger = fleet.ask(_ledger)

    def _wait_for_all(self, told: follower.Wanted) -> None:
        for one in self._followers:
            assert one.wait_for(told, within=self._patience), one.name

    def faults(self, *, killed: Collection[Key], triggered: Sequence[str]) -> list[str]:
        """Return in words what is not as it was promised.

        ``killed`` are attempts whose task was killed, ``triggered`` runs made by hand.
        """
        heard = [one.events() for one in self._followers]
        found = self._witness.disagreements(self.ledger, killed=killed)
        found += follower.faults(heard[0], self.ledger)
        found += accounts.by_hand(self.ledger, triggered)
        for plan in PLANS:
            within = accounts.span(
                created=self._created[plan.name], paused=self._paused[plan.name]
            )
            found += self._fleet.ask(partial(accounts.faults, plan=plan, within=within))
        if any(events != heard[0] for events in heard):
            found.append("the nodes tell different stories")
        return found


def _ledger(client: Client) -> list[Mapping[str, object]]:
    return [client.get_run(str(run["id"])) for run in client.each_run()]
