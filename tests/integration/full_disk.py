"""What the service says of itself on a disk that fills up: a program of its own.

It wants a mount namespace of its own, in which it is root, and the name of a folder
in which to mount a small disk. It prints what the service said, line by line.
"""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from crony import errors
from crony.api.resources.health import readiness
from crony.scheduler.probe import Probe
from crony.scheduler.service import Service
from crony.storage import open_store
from crony.testing import factories
from crony.testing.clock import ManualClock


def fill(file: Path) -> None:
    """Write until there is no room for another byte."""
    with file.open("wb", buffering=0) as out:
        size = 1 << 16
        while size:
            try:
                out.write(b"\0" * size)
            except OSError:
                size //= 2


def said(service: Service, clock: ManualClock) -> str:
    """Return what a probe is told by a process that was not asked before."""
    clock.advance(timedelta(seconds=1))
    service.probe = Probe(service.store, service.clock, elapsed=timedelta)
    try:
        return str(readiness(service)["status"])
    except errors.StoreUnavailable as exc:
        return str(exc)


def created(service: Service) -> str:
    """Return how it went to create a schedule."""
    try:
        service.schedules.create("default", factories.make_definition())
    except errors.StoreUnavailable as exc:
        return str(exc)
    return "created"


def main(folder: Path) -> None:
    """Fill the disk, and make room again."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], check=True
    )
    store = open_store(f"sqlite:///{folder / 'crony.db'}")
    store.migrate()
    store.open()
    clock = ManualClock()
    service = Service(store, clock)
    told = [said(service, clock)]
    fill(folder / "filler")
    # What has room in files that have grown already is taken still.
    while created(service) == "created":
        pass
    told += [said(service, clock), created(service)]
    (folder / "filler").unlink()
    told += [said(service, clock), created(service)]
    store.close()
    sys.stdout.writelines(f"{line}\n" for line in told)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
