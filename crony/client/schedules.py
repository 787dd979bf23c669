"""Operations on schedules."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from crony.client.headers import etag
from crony.client.transport import Answer, Parameter, Transport
from crony.client.walking import each

#: A store may take its time for a thousand schedules.
_MANY = timedelta(minutes=5)


class Schedules(Transport):
    """``schedule`` is an id or a name everywhere."""

    def create_schedule(
        self, body: Mapping[str, object], *, idempotency_key: str | None = None
    ) -> Answer:
        """Create one; the same name and definition again gives the one there is."""
        return self._call(
            "POST",
            "schedules",
            body=body,
            headers={"Idempotency-Key": idempotency_key},
            repeatable=idempotency_key is not None,
        )

    def batch_schedules(
        self,
        bodies: Sequence[Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Create, or replace by their names, up to 1,000; one result each, in order."""
        return self._call(
            "POST",
            "schedules:batch",
            body={"schedules": list(bodies)},
            headers={"Idempotency-Key": idempotency_key},
            timeout=_MANY,
            repeatable=idempotency_key is not None,
        )

    def list_schedules(self, **params: Parameter) -> Answer:
        """Get one page; ``params`` are the query's."""
        return self._call("GET", "schedules", params=params)

    def each_schedule(self, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(self.list_schedules, params)

    def get_schedule(self, schedule: str) -> Answer:
        """Get one, with its live part."""
        return self._call("GET", "schedules", schedule)

    def put_schedule(
        self,
        schedule: str,
        body: Mapping[str, object],
        *,
        if_match: int | str | None = None,
        if_none_match: str | None = None,
    ) -> Answer:
        """Replace it, or create it under that name.

        ``if_match`` is a revision or an ETag; ``if_none_match="*"`` creates only.
        """
        return self._call(
            "PUT",
            "schedules",
            schedule,
            body=body,
            headers={"If-Match": etag(if_match), "If-None-Match": if_none_match},
        )

    def patch_schedule(
        self,
        schedule: str,
        body: Mapping[str, object],
        *,
        if_match: int | str | None = None,
    ) -> Answer:
        """Change the members that ``body`` has; ``None`` removes one."""
        return self._call(
            "PATCH",
            "schedules",
            schedule,
            body=body,
            headers={
                "If-Match": etag(if_match),
                "Content-Type": "application/merge-patch+json",
            },
        )

    def delete_schedule(
        self,
        schedule: str,
        *,
        cancel_running: bool = False,
        if_match: int | str | None = None,
    ) -> None:
        """Delete it; what was not started never starts."""
        self._call(
            "DELETE",
            "schedules",
            schedule,
            params={"cancel_running": True if cancel_running else None},
            headers={"If-Match": etag(if_match)},
        )

    def pause_schedule(self, schedule: str) -> Answer:
        """Record what comes due as skipped, until it is resumed."""
        return self._call("POST", "schedules", schedule, "pause")

    def resume_schedule(self, schedule: str, *, misfire: str | None = None) -> Answer:
        """Go on from now; ``misfire`` says which of what was skipped still runs."""
        body = None if misfire is None else {"misfire": misfire}
        return self._call("POST", "schedules", schedule, "resume", body=body)

    def run_schedule(
        self,
        schedule: str,
        overrides: Mapping[str, object] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Run it now; ``overrides`` may be ``{"task": {"args", "env", "stdin"}}``."""
        return self._call(
            "POST",
            "schedules",
            schedule,
            "run",
            body=overrides,
            headers={"Idempotency-Key": idempotency_key},
            repeatable=idempotency_key is not None,
        )

    def upcoming(self, schedule: str, count: int | None = None) -> Answer:
        """Get its next instants."""
        return self._call(
            "GET", "schedules", schedule, "upcoming", params={"count": count}
        )

    def preview(self, body: Mapping[str, object]) -> Answer:
        """Describe a trigger and its next instants; nothing is saved."""
        return self._call("POST", "preview", body=body, repeatable=True)
