"""Calls to a real service, as its tests make them."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

import requests

ECHO = {"command": ["echo", "hello"]}
_NUMBERS = itertools.count(1)


@dataclass
class Caller:
    """One key at work."""

    url: str
    key: str | None
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, method: str, path: str, body: Any = None, /, **more: Any
    ) -> requests.Response:
        """Send a request; ``body`` is sent as JSON."""
        headers = {**self.headers, **(more.pop("headers", None) or {})}
        if self.key is not None:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        if body is not None:
            more["json"] = body
        return requests.request(
            method, self.url + path, headers=headers, timeout=30, **more
        )

    def made(self, path: str, body: Any = None, /, **more: Any) -> Any:
        """Send a POST that must succeed; return the answer."""
        answer = self("POST", path, body, **more)
        assert answer.ok, answer.text
        return answer.json()

    def got(self, path: str, /, **more: Any) -> Any:
        """Send a GET that must succeed; return the answer."""
        answer = self("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def schedule(self, **members: Any) -> Any:
        """Create a schedule that is due in years, unless told otherwise."""
        body = {"task": ECHO, **members}
        if not {"cron", "every", "at"} & body.keys():
            body["cron"] = "0 0 1 1 *"
        return self.made("/schedules", body)

    def as_role(self, role: str) -> Caller:
        """Return a caller with a new key of that role in the same tenant."""
        return Caller(self.url, self.made("/keys", {"role": role})["key"])

    def in_tenant(self, tenant: str) -> Caller:
        """Return this admin at work in another tenant."""
        return Caller(self.url, self.key, {"X-Crony-Tenant": tenant})

    def new_tenant(self) -> Caller:
        """Make a tenant; return this admin at work in it."""
        name = unique("t")
        assert self("PUT", f"/tenants/{name}", {}).status_code == 201
        return self.in_tenant(name)

    def worker(self, **members: Any) -> Worker:
        """Register a worker with a queue of its own."""
        body = {
            "name": unique("w"),
            "machine": "3fa9c2d1e5b64780",
            "queues": [unique("q")],
            "slots": 4,
            "sandbox_level": "full",
            **members,
        }
        answer = self.made("/workers", body)
        return Worker(Caller(self.url, answer["key"]), answer["id"], body)


@dataclass
class Worker:
    """A worker that only talks."""

    call: Caller
    id: str
    body: dict[str, Any]
    session: str = field(default_factory=lambda: secrets.token_hex(4))
    seq: int = 0

    @property
    def queue(self) -> str:
        """Its first queue."""
        return str(self.body["queues"][0])

    def poll(self, **members: Any) -> requests.Response:
        """Ask for runs; at default without waiting."""
        self.seq += 1
        body = {
            "session": self.session,
            "seq": self.seq,
            "slots": 4,
            "wait": "0s",
            "holding": [],
            **members,
        }
        return self.call("POST", f"/workers/{self.id}/leases", body)

    def lease(self, **members: Any) -> Any:
        """Ask for runs and return the only lease."""
        answer = self.poll(wait="20s", **members)
        assert answer.status_code == 200, answer.text
        (lease,) = answer.json()["leases"]
        return lease

    def report(self, lease: Any, **members: Any) -> requests.Response:
        """Report about a lease."""
        return self.call(
            "PATCH",
            f"/schedules/{lease['schedule']}/runs/{lease['run']}",
            {"token": lease["token"], **members},
        )

    def started(self, caller: Caller, **members: Any) -> Any:
        """Have a run of a new schedule leased and confirmed; return the lease."""
        caller.schedule(at="now", queue=self.queue, **members)
        lease = self.lease()
        assert self.report(lease, state="running").status_code == 200
        return lease


def unique(prefix: str) -> str:
    """Return a name that nothing has."""
    return f"{prefix}-{next(_NUMBERS)}-{secrets.token_hex(3)}"


def pointers(answer: requests.Response) -> set[str]:
    """Return where a body's faults are."""
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"] == "urn:crony:problem:invalid-body"
    return {fault["pointer"] for fault in problem["errors"]}


def kind(answer: requests.Response) -> tuple[int, str]:
    """Return the status and the type of a problem."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    return answer.status_code, problem["type"].removeprefix("urn:crony:problem:")
