"""Commands: a program with its arguments, or a line for the shell."""

from collections.abc import Mapping

from crony.worker import reading
from crony.worker.lease import Lease
from crony.worker.sandbox import Command


def command(lease: Lease, env: Mapping[str, str]) -> Command:
    """Return the command as it is, or the shell that executes the line."""
    task = lease.task
    argv: tuple[str, ...]
    if isinstance(task["command"], str):
        argv = ("/bin/sh", "-c", task["command"])
    else:
        argv = reading.words(task, "command")
    return Command(
        argv=argv,
        env=env,
        stdin=(reading.optional_text(task, "stdin") or "").encode(),
        workdir=reading.optional_text(task, "workdir"),
    )
