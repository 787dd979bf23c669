"""Python functions: called by the operator's interpreter, inside the sandbox."""

import json
from collections.abc import Mapping
from importlib.resources import files

from crony.worker import reading
from crony.worker.lease import Lease
from crony.worker.sandbox import Command
from crony.worker.tasks.script import in_workspace

_NAME = ".crony-call.py"
_CALL = ".crony-call.json"
_SOURCE = files("crony.worker.tasks").joinpath("call.py").read_bytes()


#: A variable that begins so can have the interpreter execute what the task brings.
_STEERING = "PYTHON"


def python(
    lease: Lease, env: Mapping[str, str], *, interpreter: str, ahead: bool
) -> Command:
    """Return the command that calls the function and writes down its result.

    ``ahead``: the interpreter is to start before the instant and wait for it, unless
    that could execute anything of the task.
    """
    task = lease.task
    stands = ahead and not any(name.startswith(_STEERING) for name in env)
    call = {
        "stands": stands,
        "function": reading.text(task, "python"),
        "args": task.get("args") or [],
        "kwargs": task.get("kwargs") or {},
    }
    workdir = reading.optional_text(task, "workdir")
    return Command(
        argv=in_workspace(_NAME, (interpreter, "-u"), workdir),
        env=env,
        stdin=(reading.optional_text(task, "stdin") or "").encode(),
        workdir=workdir,
        files={
            _NAME: (_SOURCE, 0o600),
            _CALL: (json.dumps(call).encode(), 0o600),
        },
        stands=stands,
    )
