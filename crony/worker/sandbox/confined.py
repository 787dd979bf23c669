"""The levels ``full`` and ``namespaces``: bubblewrap, with and without groups."""

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from crony import errors
from crony.worker.sandbox import (
    first,
    gate,
    processes,
    profile,
    seccomp,
    uids,
    watchdog,
)
from crony.worker.sandbox.allowed import Allowed
from crony.worker.sandbox.bwrap import Bwrap
from crony.worker.sandbox.cgroups import Group, Hierarchy
from crony.worker.sandbox.contract import Prepared, Sandbox
from crony.worker.sandbox.etc import Etc
from crony.worker.sandbox.meter import Meter
from crony.worker.sandbox.pipes import Pipes, memory_file, reopened
from crony.worker.sandbox.places import Places
from crony.worker.sandbox.process import Process, outermost_ending
from crony.worker.sandbox.spawner import Spawner
from crony.worker.sandbox.stages import launcher
from crony.worker.sandbox.values import Command, Limits

_ARGS, _JSON, _FILTER = 6, 7, 8
_FIRST, _DATA = 10, 11
_INIT = "/init"


class Confined(Process):
    """A run inside bubblewrap; its first process inside waits for the task."""

    def __init__(
        self,
        pid: int,
        pipes: Pipes,
        limits: Limits,
        *,
        group: Group | None,
        status: int,
        places: Places,
    ) -> None:
        super().__init__(pid, pipes, limits, group=group)
        self._places = places
        self._json = status
        self._inner: int | None = None
        self._inner_pid = 0

    def terminate(self) -> None:
        with self._lock:
            if self._inner is None:
                return
            for pid in processes.children(self._inner_pid):
                processes.send_child(pid, signal.SIGTERM, parent=self._inner_pid)

    def death_fds(self) -> tuple[int, ...]:
        inner = () if self._inner is None else (self._inner,)
        return (self.pidfd, *inner)

    @property
    def inner_pid(self) -> int:
        """The first process inside, as the host numbers it; 0 when not known."""
        return self._inner_pid

    def _at_gate(self) -> None:
        self._find_inner()
        if self._inner is None:
            raise errors.SandboxFailed("the sandbox came up and ended at once")
        self._places.verify(self._inner_pid)
        self._places.close()

    def _find_inner(self) -> None:
        """Learn from bubblewrap which process is the first one inside."""
        if self._json < 0:
            return
        said = b""
        with suppress(BlockingIOError):
            said = os.read(self._json, 4096)
        os.close(self._json)
        self._json = -1
        line, _, _ = said.partition(b"\n")
        with suppress(ValueError, KeyError):
            self._inner_pid = int(json.loads(line)["child-pid"])
            self._inner = processes.open_child(self._inner_pid, parent=self.outer_pid)

    def _kill_task(self) -> None:
        self._find_inner()
        if self._inner is not None:
            processes.send(self._inner, signal.SIGKILL)
        if self._group is not None:
            self._group.kill()

    def _sweep(self) -> None:
        # The end of the first process inside is the end of all of them.
        if self._inner is not None:
            processes.send(self._inner, signal.SIGKILL)
            processes.gone(self._inner, within=None)
        elif not self._ready:
            # When bubblewrap dies between its fork and the end of its preparations,
            # its child waits for it without end; it is in our session still.
            watchdog.kill_sessions({self.outer_pid: self.pidfd})

    def _ending(self, status: int) -> gate.Ending:
        if (said := gate.read_ending(self._pipes.status)) is not None:
            return said
        # The first process can't be ended but by SIGKILL; bubblewrap may have ended
        # of something else meanwhile.
        return gate.Ending(None, "SIGKILL") if self._ready else outermost_ending(status)

    def _clean(self) -> None:
        self._places.close()
        if self._json >= 0:
            os.close(self._json)
        if self._inner is not None:
            os.close(self._inner)
            self._inner = None


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

    def prepare(
        self, run_key: str, command: Command, limits: Limits, *, slot: int
    ) -> Prepared:
        uid = uids.uid_of(self._uids, slot)
        ready_made = self._networks and limits.network == "none"
        self._etc.refresh()
        places = self._allowed.check(command, limits)
        group: Group | None = None
        pipes = Pipes()
        try:
            pipes = Pipes.make(command.stdin)
            if self._groups is not None:
                group = self._groups.make(run_key, limits)
            status = pipes.from_child(_JSON)
            self._pass_files(
                pipes,
                command,
                limits,
                places,
                new_network=limits.network == "none" and not ready_made,
            )
            argv = launcher(doors=() if group is None else group.doors, uid=uid)
            argv += [self._bwrap.program, "--args", str(_ARGS), "--", _INIT]
            argv += ["/bin/sh", "-c", self._bounds(limits) + gate.SCRIPT]
            argv += [gate.NAME, *command.argv]
            pid = self._spawner.spawn(
                argv,
                run_key=run_key,
                fds=pipes.theirs,
                network_of=slot if ready_made else None,
            )
        except (OSError, errors.SandboxFailed) as exc:
            places.close()
            pipes.close_theirs()
            pipes.close()
            if group is not None:
                group.dissolve()
            if isinstance(exc, errors.SandboxFailed):
                raise
            raise errors.SandboxFailed(
                f"the sandbox could not be prepared: {exc.strerror}"
            ) from exc
        pipes.close_theirs()
        made = Confined(pid, pipes, limits, group=group, status=status, places=places)
        if group is None:
            self._meter.watch(made)
        return made

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
            command,
            limits,
            root=self._root,
            etc=self._etc.path(network=limits.network),
            runtime=self._runtime,
            places=places,
            data=data,
            new_network=new_network,
        )
        options += ["--add-seccomp-fd", str(_FILTER), "--json-status-fd", str(_JSON)]
        arguments = b"".join(os.fsencode(option) + b"\0" for option in options)
        pipes.pass_on({_ARGS: memory_file(arguments)})

    def close(self) -> None:
        self._meter.close()
        self._spawner.close()
        if self._groups is not None:
            self._groups.close()
        self._etc.close()
        os.close(self._filter)
        os.close(self._first)
