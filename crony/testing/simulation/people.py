"""People: they write schedules, change their minds, and ask again when unanswered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from crony import errors
from crony.model import ids
from crony.model.policy import PolicySettings
from crony.model.schedule import Definition, Schedule
from crony.model.state import Origin
from crony.model.trigger import Every
from crony.model.worker import Quotas
from crony.scheduler.service import Service
from crony.testing.simulation import scenario as drawing
from crony.testing.simulation.faults import Violation
from crony.testing.simulation.mirror import TENANT
from crony.testing.simulation.network import Failed, Network, Took
from crony.testing.simulation.node import Node
from crony.testing.simulation.scenario import GROUPS, PROFILES, Scenario
from crony.testing.simulation.watch import Watch
from crony.testing.simulation.world import Actor, World

_TIMEOUT = timedelta(seconds=3)
_TRIES = 40

Request = Callable[[Service], object]


class People(Actor):
    """All who use the service, as one."""

    def __init__(
        self, world: World, network: Network, scenario: Scenario, watch: Watch
    ) -> None:
        super().__init__(world, "people")
        self._network = network
        self._scenario = scenario
        self._watch = watch
        #: Ids of schedules and runs whose making was acknowledged.
        self.made: set[str] = set()
        self.triggered: set[str] = set()
        self.deleted: set[str] = set()
        #: The newest revision of a schedule that was.
        self.revisions: dict[str, int] = {}
        #: What is asked for and not answered.
        self._open: set[str] = set()
        self._number = 0
        self._asked = 0
        self.born()

    @property
    def answered(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._open

    def start_over(self) -> None:
        """Give up all that was asked for, and ask for nothing more."""
        self.died()
        self.born()
        self._open.clear()

    def ask(
        self, what: str, request: Request, then: Callable[[object], None] | None = None
    ) -> None:
        """Ask for something until it is answered, whatever the answer."""
        self._asked += 1
        what = f"{what} (request {self._asked})"
        self._open.add(what)
        self._try(what, request, then or (lambda _: None), tries=_TRIES)

    def _try(
        self,
        what: str,
        request: Request,
        then: Callable[[object], None],
        *,
        tries: int,
    ) -> None:
        def serve(node: Node, took: Took[object], _: Failed) -> None:
            self.world.tell(f"{node.name}: people ask to {what}")
            took(node.use(request))

        def took(answer: object) -> None:
            self._open.discard(what)
            then(answer)

        def failed(why: Exception) -> None:
            final = isinstance(why, errors.CronyError) and not isinstance(
                why, errors.Unavailable
            )
            if final or tries < 1:
                self.world.tell(f"people can't {what}: {why}")
                self._open.discard(what)
                return
            wait = self.world.between(0.2, 2)
            if not self._network.answers:
                wait += self._scenario.outage / 10
            self.later(wait, lambda: self._try(what, request, then, tries=tries - 1))

        self._network.ask(self, serve, took=took, failed=failed, timeout=_TIMEOUT)

    # What they do.

    def settle(self) -> None:
        """Make what there is at first."""
        chance = self.world.chance
        for name in PROFILES:
            settings = PolicySettings(
                priority=chance.choice((None, 1, 9)),
                on_overlap=chance.choice((None, "skip", "replace")),
                deadline=chance.choice((None, timedelta(seconds=8))),
            )
            self.profile(name, settings)
        self.group("tight", most=chance.choice((1, 2, None)))
        if self.world.happens(0.3):
            self.tenant(chance.randint(1, 4))
        for _ in range(self._scenario.schedules):
            self.later(self.world.between(0.05, 3), self.create)

    def create(self) -> None:
        """Make a schedule."""
        self._number += 1
        made = drawing.definition(self.world, self._scenario, self._number)
        id = ids.timed(
            ids.SCHEDULE,
            self.world.store_now,
            entropy=self.world.chance.randbytes(ids.ENTROPY),
        )
        self.ask(
            f"create {made.name} {made.trigger}",
            lambda service: service.schedules.create(TENANT, made, id=id),
            lambda _: self.made.add(id),
        )

    def something(self) -> None:
        """Do one thing of all that people do."""
        world = self.world
        wait = world.chance.expovariate(1 / self._scenario.people)
        if not self._network.answers:
            wait += self._scenario.outage.total_seconds() / 10
        self.later(timedelta(seconds=wait), self.something)
        known = sorted(self.made - self.deleted)
        if not known or not self._network.answers:
            return
        of = world.chance.choice(known)
        runs = sorted(self._watch.mirror.by_schedule.get(of, {}))
        things: list[Callable[[], None]] = [
            lambda: self.pause(of),
            lambda: self.resume(of),
            lambda: self.edit(of),
            lambda: self.edit(of),
            lambda: self.trigger(of),
            lambda: self.trigger(of),
            lambda: self.group_pause(paused=True),
            lambda: self.group_pause(paused=False),
            lambda: self.group("tight", most=world.chance.choice((1, 2, None))),
            lambda: self.profile(
                world.chance.choice(PROFILES),
                PolicySettings(priority=world.chance.choice((1, 7))),
            ),
            lambda: self.tenant(world.chance.choice((1, 3, None))),
            lambda: self.backfill(of),
            lambda: self.delete(of),
            self.create,
        ]
        if runs:
            run = world.chance.choice(runs)
            things += [
                lambda: self.cancel(run),
                lambda: self.cancel(run),
                lambda: self.retry(run),
            ]
        world.chance.choice(things)()

    def pause(self, of: str) -> None:
        """Pause a schedule."""
        self.ask(f"pause {of}", lambda s: s.schedules.pause(TENANT, of), self._written)

    def resume(self, of: str, *, plainly: bool = False) -> None:
        """Resume a schedule."""
        drawn = self.world.chance.choice((None, "all", "latest", "none"))
        misfire = None if plainly else drawn
        self.ask(
            f"resume {of} ({misfire})",
            lambda s: s.schedules.resume(TENANT, of, misfire=misfire),
            self._written,
        )

    def edit(self, of: str) -> None:
        """Change a schedule's policy, and perhaps when it is due."""
        settings = drawing.policy(self.world)
        interval = self.world.between(2, 20)
        moves = self.world.happens(0.5) and not self._scenario.outage
        group = self.world.chance.choice((None, *GROUPS))

        def change(old: Definition) -> Definition:
            new = replace(old, policy=settings, group=group or old.group)
            if moves and old.max_runs is None and isinstance(old.trigger, Every):
                new = replace(new, trigger=Every(interval))
            return new

        self.ask(
            f"edit {of}",
            lambda s: s.schedules.modify(TENANT, of, change, if_match=None),
            self._written,
        )

    def _written(self, answer: object) -> None:
        """Note a revision that was acknowledged."""
        assert isinstance(answer, Schedule)
        before = self.revisions.get(answer.id, 0)
        self.revisions[answer.id] = max(before, answer.revision)

    def delete(self, of: str) -> None:
        """Delete a schedule."""
        self.deleted.add(of)
        cancel = self.world.happens(0.5)
        self.ask(
            f"delete {of}",
            lambda s: s.schedules.delete(
                TENANT, of, if_match=None, cancel_running=cancel
            ),
        )

    def _run_number(self) -> str:
        chance = self.world.chance
        entropy = chance.randbytes(ids.ENTROPY)
        return ids.timed(ids.RUN, self.world.store_now, entropy=entropy)

    def trigger(self, of: str) -> None:
        """Run a schedule now."""
        number = self._run_number()
        at = ids.instant_in(number)
        assert at is not None
        id = ids.run_id(of, Origin.MANUAL, at, number)
        self.ask(
            f"trigger {of}",
            lambda s: s.runs.trigger(TENANT, of, n=number),
            lambda _: self.triggered.add(id),
        )

    def retry(self, run: str) -> None:
        """Run again what is over."""
        number = self._run_number()
        self.ask(f"retry {run}", lambda s: s.runs.retry(TENANT, run, n=number))

    def cancel(self, run: str) -> None:
        """Cancel a run; what had not started then never does."""

        def seen(_: object) -> None:
            found = self._watch.mirror.runs[run]
            live = not found.over and found.state.value not in ("stopping", "withdrawn")
            if live and found.reason is None:
                raise Violation("cancel", f"{run} is {found.state} after its cancel")

        self.ask(f"cancel {run}", lambda s: s.runs.cancel(TENANT, run), seen)

    def backfill(self, of: str) -> None:
        """Run some of the past again."""
        number = self._run_number()
        until = self.world.store_now
        since = until - self.world.between(5, 30)
        self.ask(
            f"backfill {of}",
            lambda s: s.backfill.span(
                TENANT, of, since=since, until=until, dry_run=False, n=number
            ),
        )

    def group_pause(self, *, paused: bool, plainly: bool = False) -> None:
        """Pause or resume a group."""
        name = self.world.chance.choice(GROUPS)
        misfire = None if plainly else self.world.chance.choice((None, "all", "latest"))
        if paused:
            self.ask(f"pause group {name}", lambda s: s.groups.pause(TENANT, name))
            return
        self.resume_group(name, misfire=misfire)

    def resume_group(self, name: str, *, misfire: str | None = None) -> None:
        """Resume a group."""
        self.ask(
            f"resume group {name} ({misfire})",
            lambda s: s.groups.resume(TENANT, name, misfire=misfire),
        )

    def group(self, name: str, *, most: int | None) -> None:
        """Set a group's limit."""
        self.ask(
            f"limit group {name} to {most}",
            lambda s: s.groups.put(
                TENANT,
                name,
                description="",
                profile=None,
                max_concurrent=most,
                paused=_is_paused(s, name),
            ),
        )

    def profile(self, name: str, settings: PolicySettings) -> None:
        """Set a profile."""
        self.ask(
            f"set profile {name}",
            lambda s: s.profiles.put(TENANT, name, description="", settings=settings),
        )

    def tenant(self, most: int | None) -> None:
        """Set the tenant's limit."""
        self.ask(
            f"limit the tenant to {most}",
            lambda s: s.tenants.put(TENANT, quotas=Quotas(), max_concurrent=most),
        )


def _is_paused(service: Service, name: str) -> bool:
    found = service.store.groups.find(TENANT, name)
    return found is not None and found.paused
