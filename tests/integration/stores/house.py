"""A store's server, a service of two processes before it, and a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crony.testing.service import ServiceProcess, running_service
from crony.testing.worker import WorkerProcess, running_worker
from tests.integration.stores.places import Place
from tests.integration.worker.stage import Stage
from tests.integration.worker.witness import Witness


@dataclass(frozen=True)
class House:
    """All of it."""

    place: Place
    service: ServiceProcess
    worker: WorkerProcess
    stage: Stage
    witness: Witness

    def errors(self) -> list[str]:
        """Return what the service logged that it should have been ready for."""
        lines = self.service.log.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if "Traceback" in line]


@contextmanager
def house(name: str, directory: Path, *, servers: Path) -> Iterator[House]:
    """Start all of it, and end it with the block."""
    place = Place(name, servers / "servers")
    try:
        place.start()
        witness = Witness(directory / "tasks")
        with running_service(
            directory / "home", storage=place.url, processes="2", log_level="warning"
        ) as service:
            stage = Stage(service, name)
            with running_worker(
                service,
                directory / "worker",
                name=stage.queue,
                **stage.settings(witness),
            ) as worker:
                yield House(place, service, worker, stage, witness)
    finally:
        place.close()
