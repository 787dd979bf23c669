"""Profiles, in MongoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from crony import errors
from crony.model.group import Profile, ProfileUse
from crony.storage import changes
from crony.storage.contract import Page, Position, Profiles
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import kinds, paging
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.schedule_documents import NAMELESS
from crony.storage.mongodb.work import Work, id_of


class MongoProfiles(Profiles):
    """Profiles as documents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str, name: str) -> Profile | None:
        found = self._engine.glance(tenant).get(kinds.PROFILES, name)
        return None if found is None else document_in(Profile, found)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Profile]:
        return paging.page(
            self._engine.glance(tenant),
            kinds.PROFILES,
            {},
            by="name",
            then="name",
            read=lambda document: document_in(Profile, document),
            limit=limit,
            after=after,
        )

    def put(self, profile: Profile, *, expected: int | None) -> bool:
        def put(work: Work) -> bool:
            stored = work.get(kinds.PROFILES, profile.name)
            if (stored["revision"] if stored else None) != expected:
                return False
            work.put(kinds.PROFILES, profile.name, document_out(profile))
            return True

        return self._engine.verb(profile.tenant, put)

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        def delete(work: Work) -> bool:
            stored = work.get(kinds.PROFILES, name)
            if stored is None or stored["revision"] != expected:
                return False
            schedules, groups, tenants = _users(work, name)
            if schedules or groups or tenants:
                raise changes.profile_in_use(
                    name, schedules=schedules, groups=groups, tenants=tenants
                )
            work.delete(kinds.PROFILES, name)
            return True

        return self._engine.verb(tenant, delete)

    def uses(self, tenant: str, names: Sequence[str]) -> Mapping[str, ProfileUse]:
        def uses(work: Work) -> Mapping[str, ProfileUse]:
            schedules = work.count_each(kinds.SCHEDULES, "profile", names)
            groups = work.count_each(kinds.GROUPS, "profile", names)
            return {
                name: ProfileUse(
                    schedules=schedules[name],
                    groups=groups[name],
                    tenants=int(_refers(work, name)),
                )
                for name in names
            }

        return self._engine.read(tenant, uses)


def check(work: Work, profile: str | None) -> None:
    """Refuse a reference to a profile that is not there."""
    if profile is not None and work.get(kinds.PROFILES, profile) is None:
        raise errors.NotFound("profile", profile)


def _by(profile: str) -> Document:
    return {"profile": profile}


def _users(work: Work, profile: str) -> tuple[list[str], list[str], list[str]]:
    """Return which schedules, groups and tenants refer to a profile."""
    schedules = work.find(kinds.SCHEDULES, _by(profile), fields=["profile", "name"])
    groups = work.find(kinds.GROUPS, _by(profile), fields=["profile", "name"])
    return (
        [
            cast("str", id_of(each) if each["name"] == NAMELESS else each["name"])
            for each in schedules
        ],
        [cast("str", each["name"]) for each in groups],
        [work.tenant] if _refers(work, profile) else [],
    )


def _refers(work: Work, profile: str) -> bool:
    owner = work.get(kinds.TENANTS, work.tenant)
    return owner is not None and owner["profile"] == profile
