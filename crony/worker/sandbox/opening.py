"""Open the level that is asked for, and prove it before it is used."""

import sys

from crony import errors
from crony.worker.sandbox import (
    bwrap,
    cgroups,
    folders,
    hidden,
    python,
    rights,
    selftest,
    uids,
)
from crony.worker.sandbox.allowed import Allowed
from crony.worker.sandbox.cgroups import Hierarchy
from crony.worker.sandbox.cgroups_v1 import HierarchyV1
from crony.worker.sandbox.cgroups_v2 import HierarchyV2
from crony.worker.sandbox.confining import BwrapSandbox
from crony.worker.sandbox.contract import Sandbox
from crony.worker.sandbox.direct import DirectSandbox
from crony.worker.sandbox.etc import Etc
from crony.worker.sandbox.landlock import LandlockSandbox
from crony.worker.sandbox.leash import Leash
from crony.worker.sandbox.spawner import Spawner
from crony.worker.sandbox.values import Operator
from crony.worker.sandbox.watching import Watchdog

LEVELS = ("full", "namespaces", "landlock", "none")


def open_sandbox(
    level: str | None, operator: Operator, *, watchdog: Watchdog | None = None
) -> Sandbox:
    """Open a level and run its self-test; ``MissingSafeguard`` when it fails.

    ``None`` is the best of ``full`` and ``namespaces``. The weaker ones are taken
    only when they are named. ``watchdog`` finds whatever the sandbox starts; only
    who runs no tasks, as a registration, does without.
    """
    if level is not None and level not in LEVELS:
        raise errors.MissingSafeguard(f"{level!r} is no level: use {', '.join(LEVELS)}")
    operator.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    leash = Leash() if watchdog is None else watchdog.leash
    if level in ("landlock", "none"):
        return _proven(_open_direct(level, operator, leash), operator)
    groups = None if level == "namespaces" else _groups()
    if groups is None and level == "full":
        raise errors.MissingSafeguard(
            "the level full needs control groups: run the worker as root, or "
            "delegate a group to its user (systemd: Delegate=yes)"
        )
    return _proven(_open_bwrap(operator, groups, leash), operator)


def _open_bwrap(operator: Operator, groups: Hierarchy | None, leash: Leash) -> Sandbox:
    allowed = Allowed(operator)
    task_uids = uids.task_uids(operator.task_uids)
    program = bwrap.find()
    runtime = python.runtime(operator.python)
    shown = folders.make(operator.state_dir, "etc", mode=0o755)
    both = operator.allow_network_host
    etc = Etc(shown, networks=("none", "host") if both else ("none",))
    spawner = Spawner(leash)
    if task_uids is not None:
        readable = (*program.needs, *runtime, *allowed.ro_roots, str(shown))
        spawner.call(lambda: hidden.uncover(readable, allowed.rw_roots))
        spawner.call(rights.lower_for_good)
    return BwrapSandbox(
        allowed,
        program,
        spawner,
        groups=groups,
        task_uids=task_uids,
        runtime=runtime,
        etc=etc,
    )


def _open_direct(level: str, operator: Operator, leash: Leash) -> Sandbox:
    allowed = Allowed(operator)
    task_uids = uids.task_uids(operator.task_uids)
    runtime = python.runtime(operator.python)
    spawner = Spawner(leash)
    places = folders.make(operator.state_dir, "workspaces", mode=0o711)
    if task_uids is not None:
        # What confines a run is executed as its uid already.
        own = python.runtime(sys.executable) if level == "landlock" else ()
        readable = (*runtime, *own, *allowed.ro_roots)
        writable = (*allowed.rw_roots, str(places))
        spawner.call(lambda: hidden.uncover(readable, writable))
        spawner.call(rights.lower_for_good)
    if level == "landlock":
        return LandlockSandbox(
            allowed,
            spawner,
            homes=places,
            groups=_groups(),
            task_uids=task_uids,
            runtime=runtime,
        )
    return DirectSandbox(
        allowed, spawner, homes=places, groups=_groups(), task_uids=task_uids
    )


def _proven(sandbox: Sandbox, operator: Operator) -> Sandbox:
    try:
        selftest.prove(sandbox, operator)
    except errors.CronyError as exc:
        sandbox.close()
        raise errors.MissingSafeguard(
            f"the sandbox level {sandbox.level} does not hold on this host: {exc}"
        ) from exc
    return sandbox


def _groups() -> Hierarchy | None:
    """Find control groups that this worker may use; version 2 first."""
    name = cgroups.hierarchy_name()
    for kind in (HierarchyV2, HierarchyV1):
        try:
            return kind(name)
        except OSError:
            continue
    return None
