"""A process whose children are killed, or stopped, in the middle of a verb.

``python -m tests.storage.killing URL`` reads lines ``STEP NUMBER SIGNAL``. For each, a
child opens the store, takes the step, and sends itself the signal right before its
command of that number would go to the server; ``killed``, ``stopped`` or ``done`` is
the answer. One that was stopped goes on after one more line, and is then ``done``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from pymongo import monitoring

from crony import errors
from crony.model.hook import Hook, HookKind
from crony.model.lease import Holding
from crony.model.run import Run
from crony.model.state import AttemptState
from crony.model.worker import Role
from crony.storage import open_store
from crony.storage.contract import Creation, RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import LEASE_TTL, TENANT, second

WORKER = "wrk_of_the_one_that_is_killed"
SCHEDULE = "sch_of_the_one_that_is_killed"
DIGEST = "digest"
OTHER = "other"


def register(store: Store) -> None:
    """Store a worker, its key, an event and a count."""
    worker = factories.make_worker(id=WORKER, name="a", labels={"os": "linux"})
    key = factories.make_key(id="key_a", role=Role.WORKER, digest=DIGEST)
    store.workers.register(worker, key, quota=None)


def poll(store: Store) -> None:
    """Open the worker's first poll."""
    store.leases.begin(TENANT, WORKER, session="session", sequence=1, now=START)


def create(store: Store) -> None:
    """Store a schedule, its definition, its version, an event and a count."""
    schedule = factories.make_schedule(
        id=SCHEDULE,
        name="a",
        cursor=START,
        requires={"os": "linux"},
        hooks={HookKind.ERROR: Hook(task={"command": ["false"]})},
    )
    store.schedules.create_all([Creation(schedule, 2)], quota=9)


def materialise(store: Store) -> None:
    """Make runs, admit them, and move the cursor."""
    schedule = store.schedules.find(TENANT, SCHEDULE)
    assert schedule is not None
    instants = [second(number) for number in range(3)]
    item = factories.make_materialisation(
        schedule,
        next_cursor=second(60),
        runs=tuple(
            factories.make_run(schedule, scheduled_for=instant) for instant in instants
        ),
    )
    store.schedules.materialise([item], now=START)


def lease(store: Store) -> None:
    """Give runs to the worker."""
    store.leases.lease(
        TENANT,
        WORKER,
        session="session",
        sequence=1,
        slots=9,
        horizon=second(5),
        now=START,
        lease_ttl=LEASE_TTL,
    )


def confirm(store: Store) -> None:
    """Let them run."""
    items = [Holding(run.id, run.token) for run in _runs(store)]
    store.leases.confirm(TENANT, WORKER, items, now=START, lease_ttl=LEASE_TTL)


def report(store: Store) -> None:
    """End one, which owes a hook; let one try again; admit what waits."""
    closings = [
        factories.make_closing(
            run.id,
            run.token,
            state=AttemptState.FAILED,
            finished_at=second(3),
            retry_at=retry_at,
        )
        for run, retry_at in zip(_runs(store), (None, second(9)), strict=False)
    ]
    store.leases.report(TENANT, WORKER, closings, now=second(3))


def delete_schedule(store: Store) -> None:
    """Delete the schedule, and cancel what waits."""
    schedule = store.schedules.find(TENANT, SCHEDULE)
    if schedule is not None:
        store.schedules.delete(schedule, settled=(), cancel_running=True, now=second(4))


def follow(store: Store) -> None:
    """Forget the hook that is owed."""
    store.runs.followed(store.runs.follow_ups(limit=9))


def prune(store: Store) -> None:
    """Remove the runs that are over, and with the last all definitions."""
    store.runs.prune(
        TENANT, SCHEDULE, keep=0, before=second(99), now=second(99), limit=9
    )


def delete_worker(store: Store) -> None:
    """Remove the worker with all it has."""
    store.workers.delete(TENANT, WORKER, now=second(9))


def create_tenant(store: Store) -> None:
    """Store another tenant with a key and two events."""
    tenant = factories.make_tenant(name=OTHER, max_concurrent=3)
    store.tenants.put(tenant, expected=None)
    store.profiles.put(factories.make_profile(name="p", tenant=OTHER), expected=None)
    worker = factories.make_worker(id=WORKER, tenant=OTHER, name="b")
    key = factories.make_key(id="key_b", tenant=OTHER, role=Role.WORKER, digest="b")
    store.workers.register(worker, key, quota=None)
    store.workers.delete(OTHER, WORKER, now=START)
    store.keys.insert(factories.make_key(id="key_c", tenant=OTHER, digest="c"))


def delete_tenant(store: Store) -> None:
    """Delete it with all it has."""
    store.tenants.delete(OTHER, expected=1)


def create_large(store: Store) -> None:
    """Store more at once than one document can hold."""
    batch = [
        Creation(
            factories.make_schedule(
                id=f"sch_large_{number:02}",
                name=f"l{number}",
                description="x" * 200_000,
            ),
            1,
        )
        for number in range(30)
    ]
    store.schedules.create_all(batch, quota=None)


#: Each comes after those before it.
CHAIN = (
    *(register, poll, create, materialise, lease, confirm, report),
    *(delete_schedule, follow, prune, delete_worker),
)

STEPS: dict[str, Callable[[Store], None]] = {
    step.__name__: step for step in (*CHAIN, create_tenant, delete_tenant, create_large)
}

#: What comes before a step.
BEFORE: dict[str, Sequence[str]] = {
    **{
        step.__name__: [before.__name__ for before in CHAIN[:number]]
        for number, step in enumerate(CHAIN)
    },
    "delete_tenant": ["create_tenant"],
    "create_large": [],
}


def _runs(store: Store) -> list[Run]:
    query = RunQuery(oldest_first=True)
    return list(store.runs.page(TENANT, query, limit=99, after=None).items)


class _Signals(monitoring.CommandListener):
    """Sends this process a signal before its n-th command."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.signal = signal.SIGKILL

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.signal)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def _child(url: str, step: str, number: int, signals: _Signals) -> None:
    store = open_store(url)
    store.open()
    signals.left = number
    # What it stands on may be gone when it goes on.
    with suppress(errors.NotFound):
        STEPS[step](store)
    signals.left = None
    store.close()


def _ended(child: int) -> str:
    """Return what has become of a child."""
    _, status = os.waitpid(child, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return "stopped"
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return "killed"
    assert os.waitstatus_to_exitcode(status) == 0
    return "done"


def main() -> None:
    """Answer lines."""
    (url,) = sys.argv[1:]
    # PERF: what is imported here is there in each child.
    open_store(url)
    signals = _Signals()
    monitoring.register(signals)
    for line in sys.stdin:
        step, number, name = line.split()
        signals.signal = signal.Signals[name]
        child = os.fork()
        if child == 0:
            _child(url, step, int(number), signals)
            os._exit(0)
        answer = _ended(child)
        print(answer, flush=True)  # noqa: T201  # its purpose
        if answer == "stopped":
            sys.stdin.readline()
            os.kill(child, signal.SIGCONT)
            print(_ended(child), flush=True)  # noqa: T201  # its purpose


if __name__ == "__main__":
    main()
