"""The levels ``full`` and ``namespaces``: bubblewrap, with and without groups."""

import itertools
import os
from collections.abc import Sequence

from crony import errors
from crony.worker.sandbox import first, gate, profile, seccomp, uids
from crony.worker.sandbox.allowed import Allowed
from crony.worker.sandbox.bwrap import Bwrap
from crony.worker.sandbox.cgroups import Group, Hierarchy
from crony.worker.sandbox.confined import Confined
from crony.worker.sandbox.contract import Prepared, Sandbox
from crony.worker.sandbox.etc import Etc
from crony.worker.sandbox.meter import Meter
from crony.worker.sandbox.order import order
from crony.worker.sandbox.pipes import Pipes, memory_file, reopened
from crony.worker.sandbox.places import Places
from crony.worker.sandbox.spares import Kind, Spares
from crony.worker.sandbox.spawner import Spawner
from crony.worker.sandbox.values import Command, Limits

_JSON, _ARGS, _FILTER, _FIRST, _DATA = 7, 10, 11, 12, 13
_INIT = "/init"

#: With less of a core a sandbox is long in the making, and its slot waits for it.
_QUICK = 0.5

#: What a sandbox is made for before anybody knows what will run in it.
_ANY = Command(argv=())


class BwrapSandbox(Sandbox):
    """Start runs in bubblewrap."""

    def __init__(
        self,
        allowed: Allowed,
        bwrap: Bwrap,
        spawner: Spawner,
        *,
        groups: Hierarchy | None,
        task_uids: range | None,
        runtime: Sequence[str],
        etc: Etc,
    ) -> None:
        self.level = "namespaces" if groups is None else "full"
        self._allowed = allowed
        self._bwrap = bwrap
        self._spawner = spawner
        self._groups = groups
        self._uids = task_uids
        self._runtime = tuple(runtime)
        self._root = profile.host_root()
        self._filter = memory_file(seccomp.program(counted=groups is not None))
        self._first = memory_file(first.program())
        self._etc = etc
        self._meter = Meter()
        #: Empty networks are made ahead where the worker is root.
        self._networks = task_uids is not None and spawner.prepare_networks()
        self._numbers = itertools.count()
        self._spares = Spares(self._make_spare)

    def describe(self) -> str:
        groups = (
            "no control groups: memory and disk are looked at every 100 ms"
            if self._groups is None
            else f"control groups v{self._groups.version}"
        )
        who = (
            "the worker's uid" if self._uids is None else f"task uids {self._uids[0]}+"
        )
        return f"{self.level}: {self._bwrap.program}, seccomp, {groups}, {who}"

    def keep_ready(self, count: int) -> None:
        self._spares.keep(count, kind=self._kind_of(Limits()))

    def prepare(
        self, run_key: str, command: Command, limits: Limits, *, slot: int
    ) -> Prepared:
        self._etc.refresh()
        places = self._allowed.check(command, limits)
        made: Confined | None = None
        try:
            made = self._spares.take(slot, self._kind(command, limits))
            if made is None:
                made = self._make(run_key, command, limits, places, slot=slot)
            else:
                made.give_order(_order(command))
        except (OSError, errors.CronyError) as exc:
            places.close()
            if made is not None:
                made.close()
            self._spares.freed(slot)
            if isinstance(exc, errors.CronyError):
                raise
            raise errors.SandboxFailed(
                f"the sandbox could not be prepared: {exc.strerror}"
            ) from exc
        made.when_closed(lambda: self._spares.freed(slot))
        if self._groups is None:
            self._meter.watch(made)
        return made

    def _kind(self, command: Command, limits: Limits) -> Kind | None:
        """Tell which spare would do; ``None`` where the sandbox must be its own."""
        own = command.files or command.stdin or command.workdir or command.stands
        paths = limits.ro_paths or limits.rw_paths
        slow = limits.cpu < _QUICK
        if own or paths or slow or limits.network != "none":
            return None
        return self._kind_of(limits)

    def _kind_of(self, limits: Limits) -> Kind:
        return Kind(limits, str(self._etc.path(network=limits.network)))

    def _make_spare(self, slot: int, limits: Limits) -> Confined:
        key = f"spare-{slot}.{next(self._numbers)}"
        return self._make(key, _ANY, limits, Places(), slot=slot)

    def _make(
        self, key: str, command: Command, limits: Limits, places: Places, *, slot: int
    ) -> Confined:
        """Start a sandbox that waits for its order, and then at its gate."""
        ready_made = self._networks and limits.network == "none"
        group: Group | None = None
        pipes = Pipes.make(command.stdin)
        try:
            if self._groups is not None:
                group = self._groups.make(key, limits, slot=slot)
            if command is not _ANY:
                pipes.give_order(_order(command))
            status = pipes.from_child(_JSON)
            self._pass_files(
                pipes,
                command,
                limits,
                places,
                new_network=limits.network == "none" and not ready_made,
            )
            argv = [self._bwrap.program, "--args", str(_ARGS), "--", _INIT]
            script = self._bounds(limits) + _kind_of_gate(command).value
            argv += ["/bin/sh", "-c", script, gate.NAME]
            child = self._spawner.spawn(
                argv,
                run_key=key,
                fds=pipes.theirs,
                uid=uids.uid_of(self._uids, slot),
                group=group,
                network_of=slot if ready_made else None,
            )
        except (OSError, errors.SandboxFailed):
            pipes.close_theirs()
            pipes.close()
            if group is not None:
                group.dissolve()
            raise
        pipes.close_theirs()
        return Confined(child, pipes, limits, group=group, status=status, places=places)

    def _bounds(self, limits: Limits) -> str:
        return gate.bounds(
            disk=limits.disk,
            memory=limits.memory if self._groups is None else None,
            pids=limits.pids + 1,  # the first process is one
        )

    def _pass_files(
        self,
        pipes: Pipes,
        command: Command,
        limits: Limits,
        places: Places,
        *,
        new_network: bool,
    ) -> None:
        """Give bubblewrap its arguments, the filter, and the files to make."""
        pipes.pass_on({_FILTER: reopened(self._filter)})
        pipes.pass_on({_FIRST: reopened(self._first)})
        data = {_INIT: (_FIRST, 0o555)}
        for number, (name, (content, mode)) in enumerate(command.files.items(), _DATA):
            pipes.pass_on({number: memory_file(content)})
            data[f"{profile.WORKSPACE}/{name}"] = (number, mode)
        options = profile.options(
            limits,
            workdir=profile.workdir(command),
            root=self._root,
            etc=self._etc.path(network=limits.network),
            runtime=self._runtime,
            places=places,
            data=data,
            new_network=new_network,
        )
        options += ["--add-seccomp-fd", str(_FILTER), "--json-status-fd", str(_JSON)]
        arguments = "".join(f"{option}\0" for option in options)
        pipes.pass_on({_ARGS: memory_file(os.fsencode(arguments))})

    def close(self) -> None:
        self.keep_ready(0)
        self._meter.close()
        self._spawner.close()
        if self._groups is not None:
            self._groups.close()
        self._etc.close()
        os.close(self._filter)
        os.close(self._first)


def _kind_of_gate(command: Command) -> gate.Kind:
    if command is _ANY:
        return gate.Kind.SPARE
    return gate.Kind.PROGRAM if command.stands else gate.Kind.KNOWN


def _order(command: Command) -> bytes:
    return order(command.argv, profile.environment(command, home=profile.WORKSPACE))
