"""Groups and profiles."""

from __future__ import annotations

from crony.api.render import policy
from crony.api.render.values import Object, instant
from crony.model.group import Group, Profile, ProfileUse


def group(value: Group, *, schedules: int) -> Object:
    """Return a group, with how many schedules it has."""
    return {
        "name": value.name,
        "tenant": value.tenant,
        "revision": value.revision,
        "description": value.description,
        "profile": value.profile,
        "max_concurrent": value.max_concurrent,
        "paused": value.paused,
        "schedules": schedules,
        "created_at": instant(value.created_at),
        "updated_at": instant(value.updated_at),
    }


def profile(value: Profile, use: ProfileUse) -> Object:
    """Return a profile, with how many refer to it."""
    return {
        "name": value.name,
        "tenant": value.tenant,
        "revision": value.revision,
        "description": value.description,
        **policy.written(value.settings),
        "used_by": {
            "schedules": use.schedules,
            "groups": use.groups,
            "tenants": use.tenants,
        },
        "created_at": instant(value.created_at),
        "updated_at": instant(value.updated_at),
    }
