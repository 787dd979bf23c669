"""Hold a run's wishes against what the operator of this host allows."""

import os
from collections.abc import Iterator
from pathlib import PurePath, PurePosixPath

from crony import errors
from crony.worker.sandbox.places import Place, Places, walk
from crony.worker.sandbox.python import within
from crony.worker.sandbox.values import Command, Limits, Operator

#: A path as the operator wrote it, and what it was when the worker started.
_Roots = tuple[tuple[str, str], ...]


class Allowed:
    """What an operator allows; links in their own paths are followed once, here."""

    def __init__(self, operator: Operator) -> None:
        self._network = operator.allow_network_host
        written = tuple(os.path.realpath(root) for root in operator.allowed_rw)
        self._rw = _resolved(operator.allowed_rw, written)
        self._ro = _resolved(operator.allowed_ro, written)

    @property
    def ro_roots(self) -> tuple[str, ...]:
        """The paths that may be read, without links in them."""
        return tuple(real for _, real in self._ro)

    @property
    def rw_roots(self) -> tuple[str, ...]:
        """The paths that may be written, without links in them."""
        return tuple(real for _, real in self._rw)

    def check(self, command: Command, limits: Limits) -> Places:
        """Raise ``SandboxFailed`` for what is not allowed or can't be.

        Gives the paths that are shown, held open.
        """
        if limits.network == "host" and not self._network:
            raise errors.SandboxFailed(
                "network: host is not allowed on this worker "
                "(setting allow_network_host)"
            )
        _check_command(command)
        held: list[Place] = []
        try:
            held.extend(self._opened(limits))
            self._check_nesting(held)
        except BaseException:
            Places(held).close()
            raise
        return Places(held)

    def _opened(self, limits: Limits) -> Iterator[Place]:
        for path in limits.ro_paths:
            yield _opened(path, self._ro + self._rw, kind="ro_paths")
        for path in limits.rw_paths:
            yield _opened(path, self._rw, kind="rw_paths")

    def _check_nesting(self, held: list[Place]) -> None:
        """Refuse a mount on what another task may exchange under it.

        SECURITY: a path inside another one that is shown is mounted on the live
        directory: renaming that in time would leave the mount at another path,
        where nobody looks at what it shows.
        """
        for inner in held:
            fixed = inner.path == inner.source and not any(
                _below(inner.source, root) for root in self.rw_roots
            )
            for outer in held:
                if not fixed and _below(inner.path, outer.path):
                    raise errors.SandboxFailed(
                        f"{inner.path!r} is inside {outer.path!r}, which is asked "
                        "for too: that needs a path which no task can exchange "
                        "(one of ro_paths or rw_paths of [worker] in crony.conf, "
                        "not inside one of rw_paths)"
                    )


def _resolved(roots: tuple[str, ...], written: tuple[str, ...]) -> _Roots:
    """Follow the links of the operator, and none that a task may have made.

    What is inside a path that tasks may write is allowed by that path already.
    """
    return tuple(
        (os.path.normpath(root), os.path.realpath(root))
        for root in roots
        if not any(
            within(os.path.realpath(parent), written)
            for parent in PurePath(os.path.normpath(root)).parents
        )
    )


def _check_command(command: Command) -> None:
    if not command.argv:
        raise errors.SandboxFailed("there is no command")
    for name in command.files:
        if PurePosixPath(name).name != name or name == "..":
            raise errors.SandboxFailed(f"{name!r} is not the name of a file")
    for name, value in command.env.items():
        if not name or "=" in name or "\0" in name + value:
            raise errors.SandboxFailed(f"{name!r} can't be set in an environment")
    if any("\0" in argument for argument in command.argv):
        raise errors.SandboxFailed("an argument contains a NUL character")


def _opened(path: str, roots: _Roots, *, kind: str) -> Place:
    """Open a path that must be at or below a root, and lead over no link there."""
    if not os.path.isabs(path) or "\0" in path:
        raise errors.SandboxFailed(f"{kind}: {path!r} is not an absolute path")
    asked = "/" + os.path.normpath(path).lstrip("/")
    source = _source(asked, roots)
    if source is None:
        raise errors.SandboxFailed(
            f"{kind}: {path!r} is not among the paths this worker allows "
            f"({kind} of [worker] in crony.conf)"
        )
    try:
        fd = walk(source)
    except OSError as exc:
        raise errors.SandboxFailed(f"{kind}: {path!r}: {exc.strerror}") from exc
    return Place(asked, source, fd, writable=kind == "rw_paths")


def _source(asked: str, roots: _Roots) -> str | None:
    """Find the path on the host, by the root that says most about it."""
    named = [(name, real) for root, real in roots for name in (root, real)]
    for name, real in sorted(named, key=lambda pair: len(pair[0]), reverse=True):
        if within(asked, (name,)):
            return os.path.join(real, asked[len(name) :].lstrip("/")).rstrip("/") or "/"
    return None


def _below(path: str, root: str) -> bool:
    return path != root and within(path, (root,))
