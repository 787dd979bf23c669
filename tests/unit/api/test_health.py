"""Whether the service can work, as probes are told."""

from __future__ import annotations

from crony.api.resources.health import readiness
from crony.storage import open_store
from tests.unit.scheduler.stage import Stage


def test_a_service_whose_clock_jumped_says_why_it_does_not_tick() -> None:
    store = open_store("memory://")
    store.migrate()
    store.open()
    stage = Stage(store)
    well = readiness(stage.service)
    assert (well["status"], well["ticking"], well["detail"]) == ("ready", True, None)
    stage.clock.hold()
    held = readiness(stage.service)
    assert (held["status"], held["ticking"]) == ("ready", False)
    assert "restart the service to accept its time" in str(held["detail"])
    store.close()
