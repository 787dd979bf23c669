"""Run a program that ends with its parent: ``python -m crony.cli.tied``.

``crony up`` starts its children so, which leaves nothing behind when it is killed in
a way that no program can handle.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from importlib import import_module

_PR_SET_PDEATHSIG = 1

#: The programs, and what each gets when its parent is gone. The worker would finish
#: what it runs after a SIGTERM; its watchdog ends that at once.
PROGRAMS = {"api": signal.SIGTERM, "worker": signal.SIGKILL}


def main() -> None:
    """Tie this process to the parent named first, and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, PROGRAMS[program], 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    # The parent may have gone before the tie was made.
    if os.getppid() != parent:
        sys.exit(1)
    # The parent waits for its signals, so it has them blocked; this one must not.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    import_module(f"crony.cli.{program}").main(sys.argv[3:])


if __name__ == "__main__":
    main()
