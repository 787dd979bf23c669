"""The interpreter of python tasks: which directories it needs to be seen."""

import json
import os
import subprocess

from crony import errors

_ASK = "import json,sys;print(json.dumps([sys.prefix,sys.base_prefix,*sys.path]))"

#: These are seen in every sandbox already.
_SEEN = ("/usr", "/lib", "/lib64", "/bin")


def runtime(interpreter: str | None) -> tuple[str, ...]:
    """Ask the interpreter for its own directories, without those of ``/usr``."""
    if interpreter is None:
        return ()
    try:
        answer = subprocess.run(
            [interpreter, "-c", _ASK],
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout
        prefix, base, *path = json.loads(answer)
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        raise errors.MissingSafeguard(
            f"the interpreter of python tasks does not run: {interpreter}"
        ) from exc
    home = os.path.dirname(os.path.abspath(interpreter))
    wanted: list[str] = []
    for one in (base, prefix, home, *path):
        # A path with links in it is shown under both of its names.
        for name in (os.path.realpath(one), one) if one else ():
            if os.path.exists(name) and not within(name, (*_SEEN, *wanted)):
                wanted.append(name)
    return tuple(wanted)


def within(path: str, roots: tuple[str, ...]) -> bool:
    """Tell whether ``path`` is one of ``roots`` or below one."""
    return any(
        path == root or path.startswith(root.rstrip("/") + "/") for root in roots
    )
