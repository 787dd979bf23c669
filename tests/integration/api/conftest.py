"""One real service for all these tests, and callers of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crony.testing.service import ServiceProcess, running_service
from tests.folders import Folders
from tests.integration.api.caller import Caller


@pytest.fixture(scope="session")
def service(in_memory: Folders) -> Iterator[ServiceProcess]:
    """A service on SQLite."""
    home = in_memory("service") / "home"
    with running_service(home, header_timeout="1s") as process:
        yield process
        assert process.process.poll() is None, process.log.read_text()[-4000:]
        text = process.log.read_text()
    assert "Traceback" not in text, text[-4000:]


@pytest.fixture(scope="session")
def admin(service: ServiceProcess) -> Caller:
    """The admin, at work in the tenant ``default``."""
    return Caller(service.url, service.admin_key)


@pytest.fixture
def tenant(admin: Caller) -> Caller:
    """The admin, at work in a tenant of this test alone."""
    return admin.new_tenant()


@pytest.fixture
def stranger(service: ServiceProcess) -> Caller:
    """Somebody without a key."""
    return Caller(service.url, None)
