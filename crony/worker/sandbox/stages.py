"""What a run goes through before bubblewrap or its gate."""

from collections.abc import Sequence

#: The descriptor of the group's door; shells know one digit.
DOOR = 8

_JOIN = f'echo 0 >&{DOOR} || exit 126; exec "$@" {DOOR}>&-'


def joining(argv: Sequence[str]) -> list[str]:
    """Give an argv that goes through the door first, and is ``argv`` then.

    A process that moves itself, while it has one thread, is moved at once; moved by
    another it would wait for the kernel's grace period. The door counts as opened by
    the worker, whatever uid goes through it.
    """
    return ["/bin/sh", "-c", _JOIN, "crony", *argv]
