"""Groups of schedules, and profiles: named policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crony.model.policy import PolicySettings

#: The group of a schedule that names none; every tenant has it.
DEFAULT_GROUP = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A named set of schedules of one tenant.

    A pause or resume of a group holds from ``since`` on, and is carried over to its
    schedules one by one (``Schedule.held``); ``carried`` says that all of them have
    it. ``misfire`` is how the last resume treats what came due meanwhile (``None``:
    it stays skipped).
    """

    name: str
    tenant: str
    revision: int
    description: str = ""
    #: A profile's name.
    profile: str | None = None
    #: How many runs of the group may be in workers' hands at once.
    max_concurrent: int | None = None
    paused: bool = False
    since: datetime
    misfire: str | None = None
    carried: bool = True
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named bundle of policy."""

    name: str
    tenant: str
    revision: int
    description: str = ""
    settings: PolicySettings
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ProfileUse:
    """How many refer to a profile."""

    schedules: int
    groups: int
    tenants: int
