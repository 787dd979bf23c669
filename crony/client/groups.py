"""Operations on groups and profiles."""

from collections.abc import Iterator, Mapping
from functools import partial

from crony.client.headers import etag
from crony.client.transport import Answer, Parameter, Transport
from crony.client.walking import each


class Groups(Transport):
    """``group`` and ``profile`` are names; both are made and changed by a put.

    ``if_match`` is a revision or an ETag; ``if_none_match="*"`` creates only.
    """

    def list_groups(self, **params: Parameter) -> Answer:
        """Get one page."""
        return self._call("GET", "groups", params=params)

    def each_group(self, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(self.list_groups, params)

    def get_group(self, group: str) -> Answer:
        """Get one, with how many schedules it has."""
        return self._call("GET", "groups", group)

    def put_group(
        self,
        group: str,
        body: Mapping[str, object],
        *,
        if_match: int | str | None = None,
        if_none_match: str | None = None,
    ) -> Answer:
        """Make or replace it: its profile, its limit, its pause."""
        return self._put("groups", group, body, if_match, if_none_match)

    def delete_group(self, group: str, *, if_match: int | str | None = None) -> None:
        """Delete one that has no schedules."""
        self._call("DELETE", "groups", group, headers={"If-Match": etag(if_match)})

    def pause_group(self, group: str) -> Answer:
        """Record what comes due in it as skipped, until it is resumed."""
        return self._call("POST", "groups", group, "pause")

    def resume_group(self, group: str, *, misfire: str | None = None) -> Answer:
        """Let it go on; ``misfire`` says which of what was skipped still runs."""
        body = None if misfire is None else {"misfire": misfire}
        return self._call("POST", "groups", group, "resume", body=body)

    def list_tasks(self, group: str, **params: Parameter) -> Answer:
        """Get one page of a group's schedules."""
        return self._call("GET", "schedules", group, "tasks", params=params)

    def each_task(self, group: str, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages of a group's schedules."""
        return each(partial(self.list_tasks, group), params)

    def create_task(
        self,
        group: str,
        body: Mapping[str, object],
        *,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Create a schedule in a group."""
        return self._call(
            "POST",
            "schedules",
            group,
            "tasks",
            body=body,
            headers={"Idempotency-Key": idempotency_key},
            repeatable=idempotency_key is not None,
        )

    def list_profiles(self, **params: Parameter) -> Answer:
        """Get one page."""
        return self._call("GET", "profiles", params=params)

    def each_profile(self, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(self.list_profiles, params)

    def get_profile(self, profile: str) -> Answer:
        """Get one, with how many refer to it."""
        return self._call("GET", "profiles", profile)

    def put_profile(
        self,
        profile: str,
        body: Mapping[str, object],
        *,
        if_match: int | str | None = None,
        if_none_match: str | None = None,
    ) -> Answer:
        """Make or replace it; a change holds from the next occurrences on."""
        return self._put("profiles", profile, body, if_match, if_none_match)

    def delete_profile(
        self, profile: str, *, if_match: int | str | None = None
    ) -> None:
        """Delete one that nothing refers to."""
        self._call("DELETE", "profiles", profile, headers={"If-Match": etag(if_match)})

    def _put(
        self,
        noun: str,
        name: str,
        body: Mapping[str, object],
        if_match: int | str | None,
        if_none_match: str | None,
    ) -> Answer:
        return self._call(
            "PUT",
            noun,
            name,
            body=body,
            headers={"If-Match": etag(if_match), "If-None-Match": if_none_match},
        )
