"""Scripts: a file in the workspace, executed by what its first line names."""

import json
from collections.abc import Mapping

from crony.worker import reading
from crony.worker.lease import Lease
from crony.worker.sandbox import Command

_NAME = ".crony-script"


def script(lease: Lease, env: Mapping[str, str]) -> Command:
    """Return the command that executes the script; without ``#!`` the shell does."""
    text = reading.text(lease.task, "script")
    workdir = reading.optional_text(lease.task, "workdir")
    by = () if text.startswith("#!") else ("/bin/sh",)
    return Command(
        argv=(*in_workspace(_NAME, by, workdir), *_arguments(lease)),
        env=env,
        stdin=(reading.optional_text(lease.task, "stdin") or "").encode(),
        workdir=workdir,
        files={_NAME: (text.encode(), 0o700)},
    )


def _arguments(lease: Lease) -> tuple[str, ...]:
    """Return what a manual run gives; what is no text is written as JSON."""
    given = lease.task.get("args")
    if not isinstance(given, list):
        return ()
    return tuple(one if isinstance(one, str) else json.dumps(one) for one in given)


def in_workspace(
    name: str, by: tuple[str, ...], workdir: str | None
) -> tuple[str, ...]:
    """Return what executes a file of the workspace, with ``by`` or by itself.

    Where the workspace is depends on the level of the sandbox; only HOME names it
    from every directory.
    """
    if workdir is None:
        return (*by, f"./{name}")
    return (
        ("/bin/sh", "-c", f'exec "$@" "$HOME/{name}"', "sh", *by)
        if by
        else (("/bin/sh", "-c", f'exec "$HOME/{name}" "$@"', "sh"))
    )
