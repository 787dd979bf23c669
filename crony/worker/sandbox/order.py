"""What a gate is told: the environment and the words of its task.

A sandbox can so be made before anybody knows what will run in it, and what a task is
given stands in no command line of the host. It is a text for the shell at the gate, in
a file in memory, which it reads when it is let go.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence

from crony import errors

#: The descriptor it is read from; shells know one digit.
ORDER = 6

#: Becomes the environment and the positional parameters of the shell.
READ = f". /proc/self/fd/{ORDER}; exec {ORDER}<&-"

#: A variable of the gate's own.
GO = "crony_go"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Shells have an opinion about these, or forbid to set them.
_SHELLS_OWN = frozenset(
    (
        *("_", "IFS", "OPTIND", "PWD", "OLDPWD", "LINENO", "PPID", "ENV", "PS4"),
        *("UID", "EUID", "GROUPS", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"),
        *("FUNCNAME", "DIRSTACK", "RANDOM", "SECONDS", "HISTCMD", "SRANDOM", "SHLVL"),
        *("BASHPID", "BASH_ARGV0", "BASH_COMMAND", "BASH_SUBSHELL"),
        *("EPOCHSECONDS", "EPOCHREALTIME", GO),
    )
)


def order(argv: Sequence[str], env: Mapping[str, str]) -> bytes:
    """Give the text; nothing in it holds a NUL character.

    Raises ``SandboxFailed`` for what is no text that a program can be given.
    """
    made = [
        f"export {name}={shlex.quote(value)}\n"
        for name, value in env.items()
        if _plain(name)
    ]
    words = [f"{name}={value}" for name, value in env.items() if not _plain(name)]
    if words:
        words = ["/usr/bin/env", "--", *words]
    made.append(f"set -- {shlex.join((*words, *argv))}\n")
    try:
        return os.fsencode("".join(made))
    except UnicodeEncodeError as exc:
        raise errors.SandboxFailed(
            f"the character {exc.object[exc.start]!a} of the task's words or variables "
            "is half of one, and can't be given to a program: write the whole of it"
        ) from exc


def _plain(name: str) -> bool:
    """Tell whether every shell takes such a variable as it is."""
    return name not in _SHELLS_OWN and _NAME.fullmatch(name) is not None
