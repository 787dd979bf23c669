"""Call one function and hand over what it returns.

This is copied into a sandbox and executed there by whatever interpreter the
operator configured: it needs nothing but the standard library.
"""

import contextlib
import importlib
import inspect
import json
import os
import sys
import time

#: Bytes of JSON.
_RESULT_BOUND = 64 << 10


#: Descriptors of the gate; everything before a task holds the last one.
_GATE, _STATUS, _LEASH = 3, 4, 9


def stand_at_gate() -> None:
    """Say that the interpreter is there, and wait to be let go.

    End-of-file is what the death of the worker looks like: then nothing is called.
    """
    os.write(_STATUS, b"r\n")
    if os.read(_GATE, 1) != b"\n":
        os._exit(125)
    for fd in (_GATE, _STATUS, _LEASH):
        with contextlib.suppress(OSError):
            os.close(fd)


def take(env: "dict[str, str]") -> None:
    """Take over the task's environment, as if it had been there from the start."""
    progress = os.environ["CRONY_PROGRESS_FD"]
    os.environ.update(env)
    os.environ["CRONY_PROGRESS_FD"] = progress
    time.tzset()


def find(reference: str) -> object:
    """Return the function that ``package.module:function`` names."""
    module, _, name = reference.partition(":")
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def hand_over(result: object) -> None:
    """Write the result to the progress descriptor, when it can be one."""
    try:
        line = json.dumps({"result": result}, allow_nan=False)
    except (TypeError, ValueError) as exc:
        sys.stderr.write(f"crony: the result is not kept, it is no JSON: {exc}\n")
        return
    if len(line) > _RESULT_BOUND:
        sys.stderr.write("crony: the result is not kept, it is over 64 KiB\n")
        return
    with open(int(os.environ["CRONY_PROGRESS_FD"]), "w", closefd=False) as channel:
        # A line that the task left unfinished must not swallow this one.
        channel.write("\n" + line + "\n")


def main() -> None:
    """Make the call that the file beside this one describes."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, ".crony-call.json")) as file:
        call = json.load(file)
    if call["env"] is not None:
        stand_at_gate()
        take(call["env"])
    sys.path[0] = os.getcwd()
    function = find(call["function"])
    if not callable(function):
        raise TypeError(call["function"] + " can't be called")
    result = function(*call["args"], **call["kwargs"])
    if inspect.iscoroutine(result):
        import asyncio

        result = asyncio.run(result)
    hand_over(result)


if __name__ == "__main__":
    main()
