"""The level ``none``: limits and a session of its own, and nothing else."""

import signal
from collections.abc import Sequence
from pathlib import Path

from crony import errors
from crony.worker.sandbox import gate, processes, profile, uids, watchdog, workspace
from crony.worker.sandbox.allowed import Allowed
from crony.worker.sandbox.cgroups import Group, Hierarchy
from crony.worker.sandbox.contract import Prepared, Sandbox
from crony.worker.sandbox.order import order
from crony.worker.sandbox.pipes import Pipes
from crony.worker.sandbox.places import Places
from crony.worker.sandbox.process import Process
from crony.worker.sandbox.spawner import Child, Spawner
from crony.worker.sandbox.values import Command, Limits

#: SECURITY: the program before the gate, where there is one, runs with more rights than
#: the task, so its environment reaches the process with its order and not earlier.
_SCRIPT = 'cd "$1" || exit 125; unset OLDPWD\n'


class Direct(Process):
    """A run without namespaces: the task is the outermost process."""

    def __init__(
        self,
        child: Child,
        pipes: Pipes,
        limits: Limits,
        *,
        group: Group | None,
        uid: int | None,
        home: Path,
        mark: str,
    ) -> None:
        super().__init__(child, pipes, limits, group=group)
        self._uid = uid
        self._mark = mark
        self._home = home

    def terminate(self) -> None:
        processes.send(self.pidfd, signal.SIGTERM)

    def death_places(self) -> tuple[str, ...]:
        marks = () if self._group is not None else (self._mark,)
        return (*super().death_places(), *marks)

    def _at_gate(self) -> None:
        pass  # nothing is to be learnt about it

    def _kill_task(self) -> None:
        # It must not see the others die, and end in a way of its own.
        processes.send(self.pidfd, signal.SIGSTOP)
        if self._group is not None:
            # All of it has been in there since its first instruction.
            self._group.kill()
            return
        # It is not reaped, so its number is nobody else's.
        for _ in range(100):
            left = set(processes.descendants(self.outer_pid))
            left.update(pid for pid, _ in watchdog.sessions({self.outer_pid}))
            if self._uid is not None:
                left.update(processes.of_uid(self._uid))
            else:
                left.update(watchdog.marked(self._mark + "\0"))
            left.discard(self.outer_pid)
            for pid in left:
                processes.kill(pid)
            if not left:
                break

    def _sweep(self) -> None:
        self._kill_task()

    def _ending(self, status: int) -> gate.Ending:
        return gate.ending_of(status)

    def _clean(self) -> None:
        workspace.remove(self._home)


class DirectSandbox(Sandbox):
    """Start runs with the rights of a task uid, or of the worker itself."""

    level = "none"

    def __init__(
        self,
        allowed: Allowed,
        spawner: Spawner,
        *,
        homes: Path,
        groups: Hierarchy | None,
        task_uids: range | None,
    ) -> None:
        self._allowed = allowed
        self._spawner = spawner
        self._groups = groups
        self._uids = task_uids
        self._homes = homes

    def describe(self) -> str:
        who = "the worker's own rights" if self._uids is None else "task uids"
        return f"{self.level}: NOT CONFINED; tasks run with {who}"

    def keep_ready(self, count: int) -> None:
        pass  # a shell in a session of its own is made at once

    def prepare(
        self, run_key: str, command: Command, limits: Limits, *, slot: int
    ) -> Prepared:
        uid = uids.uid_of(self._uids, slot)
        places = self._allowed.check(command, limits)
        home = self._homes / run_key
        group: Group | None = None
        pipes = Pipes()
        try:
            workspace.make(home, command.files, uid)
            pipes = Pipes.make(command.stdin)
            pipes.give_order(
                order(command.argv, profile.environment(command, home=str(home)))
            )
            if self._groups is not None:
                group = self._groups.make(run_key, limits, slot=slot)
            argv = [*self._confine(limits, home, places, pipes)]
            kind = gate.Kind.PROGRAM if command.stands else gate.Kind.KNOWN
            script = self._bounds(limits, uid) + _SCRIPT + kind.value
            argv += ["/bin/sh", "-c", script, gate.NAME]
            argv += [profile.workdir(command, workspace=str(home))]
            child = self._spawner.spawn(
                argv, run_key=run_key, fds=pipes.theirs, uid=uid, group=group
            )
        except (OSError, errors.SandboxFailed) as exc:
            pipes.close_theirs()
            pipes.close()
            workspace.remove(home)
            if group is not None:
                group.dissolve()
            if isinstance(exc, errors.SandboxFailed):
                raise
            raise errors.SandboxFailed(
                f"the run could not be prepared: {exc.strerror}"
            ) from exc
        finally:
            places.close()
        pipes.close_theirs()
        mark = self._spawner.leash.mark(run_key)
        return Direct(child, pipes, limits, group=group, uid=uid, home=home, mark=mark)

    def _bounds(self, limits: Limits, uid: int | None) -> str:
        return gate.bounds(
            disk=limits.disk,
            memory=limits.memory if self._groups is None else None,
            # Without a uid of its own it would count all of the user's processes.
            pids=limits.pids if uid is not None else None,
        )

    def _confine(
        self,
        limits: Limits,
        home: Path,
        places: Places,
        pipes: Pipes,
    ) -> Sequence[str]:
        """Give the programs that confine the run before its gate: none here."""
        return ()

    def close(self) -> None:
        self._spawner.close()
        workspace.remove(self._homes)
        if self._groups is not None:
            self._groups.close()
