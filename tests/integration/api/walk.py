"""Every route of the table, with ids that are real."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from crony.api.routes import Route
from crony.scheduler.moving import FORMAT, MEDIA_TYPE
from crony.scheduler.moving.lines import Header, written
from crony.testing.clock import START
from tests.integration.api.caller import ECHO, Caller, Worker, unique

#: What a request must say so that its answer has an end.
HEADERS = {
    "list_events": {"Accept": "application/json"},
    "import_records": {"Content-Type": MEDIA_TYPE},
}

#: The id that an event would have, which nothing led to.
NO_EVENT = "evt_" + 26 * "0"


@dataclass(frozen=True)
class World:
    """A tenant with one of everything."""

    caller: Caller
    name: str
    schedule: str
    run: str
    worker: Worker
    key: str
    group: str
    profile: str
    webhook: str

    def path(self, route: Route) -> str:
        """Return the route's path in this tenant."""
        return route.path.format(**self.places(route))

    def places(self, route: Route) -> dict[str, str]:
        """Return what stands in the places of the route's path."""
        known = {
            # A group's name stands where a schedule's does elsewhere.
            "schedule": self.group if route.path.endswith("/tasks") else self.schedule,
            "run": self.run,
            "worker": self.worker.id,
            "key": self.key,
            "tenant": self.name,
            "group": self.group,
            "profile": self.profile,
            "webhook": self.webhook,
        }
        if "{event}" in route.path:
            known["event"] = self.event()
        return {name: known[name] for name in known if f"{{{name}}}" in route.path}

    def event(self) -> str:
        """Return the id of an event that is to be sent to the webhook."""
        path = f"/webhooks/{self.webhook}/deliveries"
        if not self.caller.got(path)["items"]:
            self.caller.worker()
        until = time.monotonic() + 20
        while not (items := self.caller.got(path)["items"]):
            assert time.monotonic() < until
        return str(items[0]["event"])


def new_world(admin: Caller) -> World:
    """Make a tenant with one of everything."""
    caller = admin.new_tenant()
    worker = caller.worker()
    schedule = caller.schedule(name="a", queue=worker.queue)
    run = caller.made("/schedules/a/run")
    group, profile = unique("g"), unique("p")
    assert caller("PUT", f"/groups/{group}", {}).status_code == 201
    assert caller("PUT", f"/profiles/{profile}", {}).status_code == 201
    webhook, hook = unique("h"), {"url": "http://hooks.invalid/", "types": ["worker.*"]}
    assert caller("PUT", f"/webhooks/{webhook}", hook).status_code == 201
    return World(
        caller=caller,
        name=caller.headers["X-Crony-Tenant"],
        schedule=schedule["id"],
        run=run["id"],
        worker=worker,
        key=caller.made("/keys", {"role": "viewer"})["id"],
        group=group,
        profile=profile,
        webhook=webhook,
    )


#: A sound body that is no JSON object.
DATA = {
    "import_records": written(
        Header(format=FORMAT, crony="1", at=START, tenants=(), secrets=False)
    )
}

#: A sound body for each operation that must have one.
BODIES: dict[str, Any] = {
    "create_schedule": {"every": "1h", "task": ECHO},
    "put_schedule": {"every": "2h", "task": ECHO},
    "create_task": {"every": "1h", "task": ECHO},
    "batch_schedules": {"schedules": [{"every": "1h", "task": ECHO}, {}]},
    "put_group": {"description": "changed"},
    "put_profile": {"max_runtime": "2h"},
    "put_webhook": {"url": "http://hooks.invalid/", "paused": True},
    "patch_schedule": {"description": "changed"},
    "preview": {"every": "1h"},
    "backfill_schedule": {"from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"},
    "report": {"token": 1, "state": "running"},
    "reports": {"reports": [{"run": "run_x", "token": 1}]},
    "register_worker": {
        "name": "another",
        "machine": "3fa9c2d1",
        "slots": 1,
        "sandbox_level": "full",
    },
    "lease": {"session": "s", "seq": 1, "slots": 0, "wait": "0s"},
    "renew": {"session": "s"},
    "create_key": {"role": "viewer"},
    "put_tenant": {"quotas": {"schedules": 5}},
}
