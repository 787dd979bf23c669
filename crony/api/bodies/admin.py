"""Keys and tenants, as operators write them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from crony.api.bodies.fields import WHOLE, Body, Instant, Name, Text
from crony.api.bodies.policy import RetentionBody
from crony.model.worker import Quotas

#: Keys of the role ``worker`` come from registration alone.
KeyRole: TypeAlias = Literal["admin", "operator", "editor", "viewer", "enroll"]

Bound: TypeAlias = Annotated[int, Field(ge=0, le=2**53), WHOLE]


class KeyBody(Body):
    """A key to be made."""

    role: KeyRole
    description: Text = ""
    expires_at: Instant | None = None


class QuotasBody(Body):
    """Bounds of a tenant; ``null`` is none."""

    schedules: Bound | None = 100_000
    workers: Bound | None = 1_000
    pending_runs: Bound | None = 1_000_000
    requests_per_second: Annotated[int, Field(ge=1, le=2**53), WHOLE] | None = None

    def value(self) -> Quotas:
        """Return them as the model has them."""
        return Quotas(
            schedules=self.schedules,
            workers=self.workers,
            pending_runs=self.pending_runs,
            requests_per_second=self.requests_per_second,
        )


class TenantBody(Body):
    """A tenant, as it is created or replaced."""

    quotas: QuotasBody = QuotasBody()
    #: The profile that holds where neither schedule nor group says otherwise.
    profile: Name | None = None
    #: How many of its runs may go at once.
    max_concurrent: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    retention: RetentionBody | None = None


#: What is read back with a tenant: accepted in a PUT, and ignored.
LIVE_OF_TENANT = frozenset(
    {"name", "revision", "held", "created_at", "updated_at", "usage"}
)
