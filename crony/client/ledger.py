"""What was due, what became of it, and why; and running it after all."""

from collections.abc import Iterator
from functools import partial

from crony.client.transport import Answer, Parameter, Transport
from crony.client.walking import each


class Ledger(Transport):
    """Instants are RFC 3339. ``since`` is inclusive, ``until`` exclusive."""

    def list_occurrences(
        self,
        schedule: str,
        *,
        since: str | None = None,
        until: str | None = None,
        **params: Parameter,
    ) -> Answer:
        """Get one page of a schedule's occurrences, and how each ended."""
        span: dict[str, Parameter] = {"from": since, "to": until}
        return self._call(
            "GET", "schedules", schedule, "occurrences", params={**span, **params}
        )

    def each_occurrence(
        self,
        schedule: str,
        *,
        since: str | None = None,
        until: str | None = None,
        **params: Parameter,
    ) -> Iterator[Answer]:
        """Walk through all pages."""
        page = partial(self.list_occurrences, schedule, since=since, until=until)
        return each(page, params)

    def audit_occurrences(
        self,
        *,
        schedule: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **params: Parameter,
    ) -> Answer:
        """Look for occurrences without a record; ``next`` leads to the rest."""
        span: dict[str, Parameter] = {"from": since, "to": until}
        return self._call(
            "GET",
            "audit",
            "occurrences",
            params={"schedule": schedule, **span, **params},
        )

    def each_audit(
        self,
        *,
        schedule: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **params: Parameter,
    ) -> Iterator[Answer]:
        """Walk through the parts of an audit, each as ``audit_occurrences`` has it."""
        while True:
            part = self.audit_occurrences(
                schedule=schedule, since=since, until=until, **params
            )
            yield part
            if part["next"] is None:
                return
            params["cursor"] = str(part["next"])

    def why(self, schedule: str, *, at: str | None = None) -> Answer:
        """Ask why an occurrence did, or did not, run; by default the newest."""
        return self._call("GET", "schedules", schedule, "why", params={"at": at})

    def backfill_schedule(
        self,
        schedule: str,
        *,
        since: str,
        until: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Run each occurrence of a span of the past; all or none of them."""
        return self._call(
            "POST",
            "schedules",
            schedule,
            "backfill",
            body={"from": since, "to": until, "dry_run": dry_run},
            headers={"Idempotency-Key": idempotency_key},
            repeatable=dry_run or idempotency_key is not None,
        )
