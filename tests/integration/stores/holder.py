"""A process that stands still in the middle of a write: a program of its own.

It takes what the writers of a tenant take one after the other, and stops itself.
"""

from __future__ import annotations

import os
import signal
import sys

from crony.storage.sql.databases import database_of


def main(url: str, tenant: str) -> None:
    """Begin a write about a tenant, and stand still; then try to end it."""
    database = database_of(url, home=None)
    database.connect()
    with database.writing(tenant):
        os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main(*sys.argv[1:])
