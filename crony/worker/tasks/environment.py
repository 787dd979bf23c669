"""What a task finds in its environment: facts of its run, never a credential."""

from collections.abc import Iterable, Mapping

from crony import errors
from crony.worker import reading
from crony.worker.lease import Lease

#: Names that hold the worker's own business; ``pass_env`` can't reach them.
_OURS = "CRONY_"


def facts(lease: Lease) -> dict[str, str]:
    """Return the run's own variables; the sandbox adds the progress descriptor."""
    return {
        "CRONY_SCHEDULE_ID": lease.schedule,
        "CRONY_SCHEDULE_NAME": lease.schedule_name or "",
        "CRONY_RUN_ID": lease.run,
        "CRONY_SCHEDULED_FOR": lease.scheduled_for,
        "CRONY_ATTEMPT": str(lease.attempt),
        "CRONY_TOKEN": str(lease.token),
        # Empty: there is none.
        "CRONY_DEADLINE": lease.deadline_at or "",
    }


def environment(
    lease: Lease, *, allowed: Iterable[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a task: its own, those passed on, and the facts.

    ``allowed`` are the names that the operator lets through.
    """
    wanted = lease.sandbox.pass_env
    refused = sorted(set(wanted) - set(allowed))
    refused += [name for name in wanted if name.startswith(_OURS)]
    if refused:
        raise errors.SandboxFailed(
            f"pass_env: {refused[0]} is not allowed on this worker (setting pass_env)"
        )
    passed = {name: environ[name] for name in wanted if name in environ}
    return passed | reading.strings(lease.task, "env") | facts(lease)
