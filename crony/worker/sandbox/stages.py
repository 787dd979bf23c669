"""The programs a run goes through before bubblewrap or the gate."""

from collections.abc import Sequence

_JOIN = (
    'while [ "$1" != -- ]; do echo 0 >"$1" || exit 126; shift; done; shift; exec "$@"'
)


def launcher(*, doors: Sequence[str], uid: int | None) -> list[str]:
    """Give the start of an argv: join the groups, then drop root for good."""
    argv: list[str] = []
    if doors:
        # A process that moves itself, while it has one thread, is moved at once;
        # moved by another it would wait for the kernel's grace period.
        argv += ["/bin/sh", "-c", _JOIN, "crony", *doors, "--"]
    if uid is not None:
        argv += [
            "/usr/bin/setpriv",
            f"--reuid={uid}",
            f"--regid={uid}",
            "--clear-groups",
            "--inh-caps=-all",
            "--bounding-set=-all",
            "--no-new-privs",
        ]
    return argv
