"""Makes of each lease the work that it asks for, as far as this host allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crony import errors
from crony.model import task
from crony.outbound import Rules
from crony.worker.lease import Lease, Wish
from crony.worker.sandbox import Command, Limits, Sandbox, Watchdog
from crony.worker.tasks.command import command
from crony.worker.tasks.environment import environment
from crony.worker.tasks.http import HttpWork
from crony.worker.tasks.python import python
from crony.worker.tasks.script import script
from crony.worker.work import SandboxedWork, Work

#: From the weakest to the strongest.
LEVELS = ("none", "landlock", "namespaces", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Everything that preparing a task needs, given once."""

    sandbox: Sandbox
    watchdog: Watchdog
    rules: Rules
    interpreter: str
    #: It starts before the instant of its task, and waits for it.
    interpreter_ahead: bool
    #: Names that ``pass_env`` may ask for, and the environment they come from.
    pass_env: tuple[str, ...]
    environ: Mapping[str, str]

    def prepare(self, lease: Lease, *, slot: int) -> Work:
        """Return work that waits behind its gate.

        Raises ``SandboxFailed`` with the reason when it can't be had here.
        """
        try:
            if task.kind(lease.task) == "http":
                return HttpWork(lease.task, self.rules)
            self._check_level(lease.sandbox)
            made = self._command(lease)
        except (ValueError, StopIteration, KeyError) as exc:
            raise errors.SandboxFailed("this worker does not know the task") from exc
        key = f"{lease.run}.{lease.token}"
        prepared = self.sandbox.prepare(key, made, _limits(lease.sandbox), slot=slot)
        return SandboxedWork(prepared, key=key, watchdog=self.watchdog)

    def _check_level(self, wish: Wish) -> None:
        if LEVELS.index(wish.level) > LEVELS.index(self.sandbox.level):
            raise errors.SandboxFailed(
                f"the schedule needs the sandbox level {wish.level}; "
                f"this worker has {self.sandbox.level}"
            )

    def _command(self, lease: Lease) -> Command:
        env = environment(lease, allowed=self.pass_env, environ=self.environ)
        match task.kind(lease.task):
            case "command":
                return command(lease, env)
            case "script":
                return script(lease, env)
            case _:
                return python(
                    lease,
                    env,
                    interpreter=self.interpreter,
                    ahead=self.interpreter_ahead,
                )


def _limits(wish: Wish) -> Limits:
    return Limits(
        memory=wish.memory,
        cpu=wish.cpu,
        pids=wish.pids,
        disk=wish.disk,
        network="host" if wish.network == "host" else "none",
        ro_paths=wish.ro_paths,
        rw_paths=wish.rw_paths,
    )
