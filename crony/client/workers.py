"""Operations on workers, and the calls that a worker itself makes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from crony.client.transport import Answer, Parameter, Transport
from crony.client.walking import each


class Workers(Transport):
    """Leases, renewals and reports carry tokens, so repeating them is harmless."""

    def register_worker(self, body: Mapping[str, object]) -> Answer:
        """Register this host; the answer has the worker's own key."""
        return self._call("POST", "workers", body=body)

    def lease(
        self,
        worker: str,
        body: Mapping[str, object],
        *,
        timeout: timedelta | None = None,
    ) -> Answer:
        """Wait for runs; never repeated here, since each poll has its number."""
        return self._call(
            "POST", "workers", worker, "leases", body=body, timeout=timeout
        )

    def renew(
        self,
        worker: str,
        body: Mapping[str, object],
        *,
        timeout: timedelta | None = None,
    ) -> Answer:
        """Renew leases; never repeated here: leases count from *this* sending."""
        return self._call(
            "POST", "workers", worker, "renewals", body=body, timeout=timeout
        )

    def report(self, schedule: str, run: str, body: Mapping[str, object]) -> Answer:
        """Report about one run."""
        return self._call(
            "PATCH", "schedules", schedule, "runs", run, body=body, repeatable=True
        )

    def reports(
        self,
        items: Sequence[Mapping[str, object]],
        *,
        timeout: timedelta | None = None,
    ) -> Answer:
        """Report about many runs; one result for each, in order."""
        return self._call(
            "POST",
            "reports",
            body={"reports": list(items)},
            timeout=timeout,
            repeatable=True,
        )

    def list_workers(self, **params: Parameter) -> Answer:
        """Get one page."""
        return self._call("GET", "workers", params=params)

    def each_worker(self, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(self.list_workers, params)

    def get_worker(self, worker: str) -> Answer:
        """Get one."""
        return self._call("GET", "workers", worker)

    def delete_worker(self, worker: str) -> None:
        """Forget it; its key no longer works."""
        self._call("DELETE", "workers", worker)

    def drain_worker(self, worker: str) -> Answer:
        """Let it finish what it has and give it nothing new."""
        return self._call("POST", "workers", worker, "drain")
