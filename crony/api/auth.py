"""Who calls, for which tenant, and whether the operation is open to them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crony import errors
from crony.api.request import Request
from crony.api.routes import Route
from crony.model.worker import Key, Role
from crony.scheduler.service import Service

_SECRET = re.compile(r"[\x21-\x7e]{1,256}", re.ASCII)
TENANT_HEADER = "X-Crony-Tenant"


@dataclass(frozen=True, slots=True)
class Caller:
    """A key at work: in one tenant, or, for an admin that names none, over all."""

    key: Key
    tenant: str
    everywhere: bool

    @property
    def role(self) -> Role:
        """What the key may do."""
        return self.key.role


def secret_of(req: Request) -> str:
    """Return the secret of ``Authorization: Bearer``."""
    scheme, _, secret = (req.header("Authorization") or "").partition(" ")
    if scheme.lower() != "bearer":
        raise errors.Unauthenticated(
            "send a key with the request: Authorization: Bearer <key>"
        )
    secret = secret.strip()
    if _SECRET.fullmatch(secret) is None:
        raise errors.Unauthenticated("the service does not know this key")
    return secret


def remembered(service: Service, secret: str) -> Caller | None:
    """Return who calls in the key's own tenant, where no look into the store is due."""
    key = service.keys.remembered(secret)
    return None if key is None else Caller(key, key.tenant, key.role is Role.ADMIN)


def identify(service: Service, secret: str, named: str | None) -> Caller:
    """Return who calls; ``named`` is the tenant that an admin asks for."""
    key = service.keys.authenticate(secret)
    if named is None:
        return Caller(key, key.tenant, key.role is Role.ADMIN)
    if key.role is Role.ADMIN:
        service.tenants.find(named)
        return Caller(key, named, False)
    if named != key.tenant:
        raise errors.Forbidden(
            f"{TENANT_HEADER} is for admin keys; this one works in its own tenant"
        )
    return Caller(key, key.tenant, False)


def allow(caller: Caller, route: Route) -> None:
    """Refuse an operation that the role does not have."""
    if caller.role not in route.roles:
        able = ", ".join(sorted(role.value for role in route.roles))
        raise errors.Forbidden(
            f"a key of role {caller.role.value} may not do this; it takes {able}"
        )


def own_worker(caller: Caller, worker: str) -> None:
    """Let a worker's key act for that worker alone."""
    if caller.key.worker != worker:
        raise errors.NotFound("worker", worker[:200])
