"""A real service for each module, a real worker for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from crony.testing.service import ServiceProcess, running_service
from crony.testing.worker import WorkerProcess, running_worker
from tests.integration.worker.stage import Stage
from tests.integration.worker.witness import Witness

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The shortest lease there is, so that the end of one can be waited for."""
    home = tmp_path_factory.mktemp("service") / "home"
    with running_service(home, lease_ttl="5s", poll_wait="5s") as running:
        yield running


@pytest.fixture
def stage(service: ServiceProcess, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A queue of its own for each test, so that no test takes another's runs."""
    made = Stage(service, request.node.name)
    yield made
    made.close()


@pytest.fixture
def start_worker(
    service: ServiceProcess, stage: Stage, tmp_path: Path
) -> Iterator[StartWorker]:
    """Start workers that end with the test."""
    with ExitStack() as stack:

        def start(**settings: str) -> WorkerProcess:
            settings = {
                "slots": "4",
                "queues": stage.queue,
                # Beside other workers of this host, which may kill by uid.
                "task_uids": stage.task_uids,
            } | settings
            return stack.enter_context(
                running_worker(
                    service, tmp_path / "worker", name=stage.queue, **settings
                )
            )

        yield start


@pytest.fixture
def worker(start_worker: StartWorker) -> WorkerProcess:
    """A worker with everyday settings."""
    return start_worker()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """Where tasks write down that they ran."""
    return Witness(tmp_path / "witness")
