"""Operations on runs and their logs."""

from collections.abc import Iterator
from functools import partial

from crony.client.transport import Answer, Parameter, Transport
from crony.client.walking import each


class Runs(Transport):
    """``run`` is a run's id."""

    def list_runs(self, schedule: str | None = None, **filters: Parameter) -> Answer:
        """Get one page of all runs, or of a schedule's; newest first."""
        if schedule is None:
            return self._call("GET", "runs", params=filters)
        return self._call("GET", "schedules", schedule, "runs", params=filters)

    def each_run(
        self, schedule: str | None = None, **filters: Parameter
    ) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(partial(self.list_runs, schedule), filters)

    def get_run(self, run: str) -> Answer:
        """Get one with its attempts and its result."""
        return self._call("GET", "runs", run)

    def get_schedule_run(self, schedule: str, run: str) -> Answer:
        """Get one of a schedule; another schedule's is not found."""
        return self._call("GET", "schedules", schedule, "runs", run)

    def get_log(self, run: str, attempt: int | None = None) -> bytes:
        """Get what is kept of an attempt's output; by default of the newest."""
        response = self._respond(
            "GET",
            "runs",
            run,
            "log",
            params={"attempt": attempt},
            headers={"Accept": "text/plain, application/problem+json"},
        )
        return response.content

    def follow_log(self, run: str) -> Iterator[bytes]:
        """Yield output as it comes, until the run has ended."""
        response = self._respond(
            "GET",
            "runs",
            run,
            "log",
            params={"follow": True},
            headers={"Accept": "text/plain, application/problem+json"},
            stream=True,
        )
        with response, self._unreachable():
            yield from response.pieces()

    def cancel_run(self, run: str) -> Answer:
        """Stop it, or keep it from starting."""
        return self._call("POST", "runs", run, "cancel")

    def retry_run(self, run: str, *, idempotency_key: str | None = None) -> Answer:
        """Make a new run that repeats this one."""
        return self._call(
            "POST",
            "runs",
            run,
            "retry",
            headers={"Idempotency-Key": idempotency_key},
            repeatable=idempotency_key is not None,
        )
