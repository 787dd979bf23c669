"""The rights with which the spawner's thread, and only it, starts a task.

The kernel keeps credentials for each thread, and a child has those of the thread that
started it (credentials(7), capabilities(7)). So a worker that is root needs no program
in between to drop root: its spawner gives up for good what no task may have, takes the
uid of the task for as long as it spawns, and comes back by its saved uid, which is gone
in the child with its first program. To take each start through ``setpriv`` cost as much
as bubblewrap by itself.

SECURITY: in between the thread has the task's uid, and root as its saved one. Whoever
has that uid too may not trace it, for all three would have to be theirs, but could send
it a signal: so uids of tasks must be nobody else's.

NOTE: the memory of a process that has changed its uid is shown to no other user, and
not written when it crashes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from crony import errors
from crony.worker.sandbox import linux


def lower_for_good() -> None:
    """Have what the calling thread starts gain nothing, whatever it executes.

    Raises ``MissingSafeguard`` where even root may not.
    """
    try:
        linux.forbid_new_privileges()
        linux.drop_bounding_capabilities()
        linux.clear_inheritable_capabilities()
        linux.clear_groups_of_thread()
    except OSError as exc:
        raise errors.MissingSafeguard(
            f"this worker may not drop the rights of root for its tasks "
            f"({exc.strerror}): give it CAP_SETPCAP, CAP_SETUID and CAP_SETGID, or "
            "run it as a plain user"
        ) from exc


@contextmanager
def of_task(uid: int | None) -> Iterator[None]:
    """Give the calling thread the uid and gid of a task; ``None`` keeps its own."""
    if uid is None:
        yield
        return
    own = os.getegid()
    linux.set_gids_of_thread(uid, saved=own)
    try:
        linux.set_uids_of_thread(uid, saved=0)
        try:
            yield
        finally:
            linux.set_uids_of_thread(0, saved=0)
    finally:
        linux.set_gids_of_thread(own, saved=own)
