"""Profiles, in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.model.group import Profile, ProfileUse
from crony.storage import changes
from crony.storage.contract import Page, Position, Profiles
from crony.storage.documents import document_out
from crony.storage.redis import named
from crony.storage.redis.engine import Engine

_KIND = "profiles"


class RedisProfiles(Profiles):
    """Profiles as records of their tenant."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str, name: str) -> Profile | None:
        return named.find(self._engine, tenant, _KIND, name, kind=Profile)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Profile]:
        return named.page(
            self._engine, tenant, _KIND, kind=Profile, limit=limit, after=after
        )

    def put(self, profile: Profile, *, expected: int | None) -> bool:
        return bool(
            self._engine.call(
                "profile_put",
                profile.tenant,
                profile=document_out(profile),
                expected=expected,
            )
        )

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        done = self._engine.call("profile_delete", tenant, name=name, expected=expected)
        if "schedules" in done:
            raise changes.profile_in_use(
                name,
                schedules=done["schedules"],
                groups=done["groups"],
                tenants=[tenant] if done["tenant"] else [],
            )
        return bool(done["counted"])

    def uses(self, tenant: str, names: Sequence[str]) -> Mapping[str, ProfileUse]:
        counts = self._engine.call("profile_uses", tenant, names=list(names))
        return {
            name: ProfileUse(*count) for name, count in zip(names, counts, strict=True)
        }
