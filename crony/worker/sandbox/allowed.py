"""Hold a run's wishes against what the operator of this host allows."""

import os
from pathlib import PurePosixPath

from crony import errors
from crony.worker.sandbox.python import within
from crony.worker.sandbox.values import Command, Limits, Operator


def check(operator: Operator, command: Command, limits: Limits) -> None:
    """Raise ``SandboxFailed`` for what is not allowed or can't be."""
    if not command.argv:
        raise errors.SandboxFailed("there is no command")
    if limits.network == "host" and not operator.allow_network_host:
        raise errors.SandboxFailed(
            "network: host is not allowed on this worker (setting allow_network_host)"
        )
    readable = operator.allowed_ro + operator.allowed_rw
    for path in limits.ro_paths:
        _check_path(path, readable, kind="ro_paths")
    for path in limits.rw_paths:
        _check_path(path, operator.allowed_rw, kind="rw_paths")
    for name in command.files:
        if PurePosixPath(name).name != name or name == "..":
            raise errors.SandboxFailed(f"{name!r} is not the name of a file")
    for name, value in command.env.items():
        if not name or "=" in name or "\0" in name + value:
            raise errors.SandboxFailed(f"{name!r} can't be set in an environment")
    if any("\0" in argument for argument in command.argv):
        raise errors.SandboxFailed("an argument contains a NUL character")


def _check_path(path: str, roots: tuple[str, ...], *, kind: str) -> None:
    if not os.path.isabs(path) or "\0" in path:
        raise errors.SandboxFailed(f"{kind}: {path!r} is not an absolute path")
    try:
        real = os.path.realpath(path)
    except OSError as exc:  # a link that may not be read, such as /proc/1/root
        raise errors.SandboxFailed(f"{kind}: {path!r}: {exc.strerror}") from exc
    # SECURITY: also the path as it stands, so that a link can't lead out of what
    # is allowed, nor from elsewhere into it.
    allowed = tuple(os.path.realpath(root) for root in roots)
    if not within(real, allowed) or real != os.path.normpath(path):
        raise errors.SandboxFailed(
            f"{kind}: {path!r} is not among the paths this worker allows"
        )
