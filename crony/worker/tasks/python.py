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


#: What an interpreter or its libraries look at when they start. It starts with the
#: gate's own environment, and is given that of the task when it is let go.
_AT_START = ("PYTHON", "LD_", "LC_", "GLIBC_", "GCONV_", "MALLOC_", "NLSPATH")
_AT_START_TOO = frozenset({"HOME", "PATH", "LANG", "LANGUAGE", "TZDIR"})


def python(
    lease: Lease, env: Mapping[str, str], *, interpreter: str, ahead: bool
) -> Command:
    """Return the command that calls the function and writes down its result.

    ``ahead``: the interpreter is to start before the instant and wait for it, unless
    the task's environment would make another of it.
    """
    task = lease.task
    stands = ahead and not any(map(_at_start, env))
    call = {
        "env": dict(env) if stands else None,
        "function": reading.text(task, "python"),
        "args": task.get("args") or [],
        "kwargs": task.get("kwargs") or {},
    }
    workdir = reading.optional_text(task, "workdir")
    return Command(
        argv=in_workspace(_NAME, (interpreter, "-u"), workdir),
        env={} if stands else env,
        stdin=(reading.optional_text(task, "stdin") or "").encode(),
        workdir=workdir,
        files={
            _NAME: (_SOURCE, 0o600),
            _CALL: (json.dumps(call).encode(), 0o600),
        },
        stands=stands,
    )


def _at_start(name: str) -> bool:
    return name in _AT_START_TOO or name.startswith(_AT_START)
