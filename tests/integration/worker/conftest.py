"""A real service for each module, a real worker for each module or test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crony.testing.service import ServiceProcess, running_service
from crony.testing.worker import WorkerProcess, running_worker
from tests.integration.worker.stage import Stage
from tests.integration.worker.witness import Witness


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The module's service."""
    home = tmp_path_factory.mktemp("service") / "home"
    with running_service(home, poll_wait="5s") as running:
        yield running


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Witness:
    """Where tasks write down that they ran."""
    return Witness(tmp_path_factory.mktemp("tasks") / "witness")


@pytest.fixture(scope="module")
def stage(service: ServiceProcess, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The module's queue."""
    made = Stage(service, request.node.name)
    yield made
    made.close()


@pytest.fixture(scope="module")
def worker(
    service: ServiceProcess,
    stage: Stage,
    witness: Witness,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WorkerProcess]:
    """The module's worker; its http tasks may reach loopback."""
    with running_worker(
        service,
        tmp_path_factory.mktemp("worker"),
        name=stage.queue,
        **stage.settings(witness),
        http_allow="127.0.0.1/32",
    ) as running:
        yield running


@pytest.fixture
def own_stage(
    service: ServiceProcess, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """A queue of one test, which no other test's worker serves."""
    made = Stage(service, request.node.name)
    yield made
    made.close()


@pytest.fixture
def own_worker(
    service: ServiceProcess, own_stage: Stage, witness: Witness, tmp_path: Path
) -> Iterator[WorkerProcess]:
    """A worker of one test, which may end it."""
    with running_worker(
        service,
        tmp_path / "worker",
        name=own_stage.queue,
        **own_stage.settings(witness),
    ) as running:
        yield running
