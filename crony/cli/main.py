"""`crony`: the command line client.

What is imported is what the call needs: nothing for the list of commands, which is
drawn beforehand; click and one command's module for a command; the client when it has
something to ask. ``tests/unit/cli/test_programs.py`` holds each to that.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

#: What click draws for ``crony --help``: ``python -m crony.cli.reference overview``.
OVERVIEW = os.path.join(os.path.dirname(__file__), "overview.txt")

#: How wide that is drawn; click itself draws for what is narrower.
WIDTH = 80

#: More than any command imports; one that goes on for hours collects what is above.
_OBJECTS = 100_000


def main(argv: Sequence[str] | None = None) -> None:
    """Run `crony` and end with its exit code."""
    said = sys.argv[1:] if argv is None else list(argv)
    # A shell that completes calls the program without words.
    if said in (["--help"], ["-h"]) and _columns() >= WIDTH:
        page = _overview()
        if page and sys.stdout:
            sys.exit(_print(page))
    # What is imported are thousands of objects that stay. To look through them for
    # garbage, dozens of times and once more at the end, takes a fifth of a command.
    gc.set_threshold(_OBJECTS)
    # Imported here: to print a text needs none of it.
    from crony.cli.commands import crony
    from crony.cli.failures import run

    code = run(crony, "crony", argv)
    gc.freeze()
    sys.exit(code)


def _columns() -> int:
    """Return how wide the terminal is, as click and ``shutil`` find it out."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or WIDTH  # type: ignore[union-attr]  # no stdout is an AttributeError
    except (AttributeError, OSError, ValueError):
        return WIDTH


def _overview() -> str:
    """Return what was drawn; nothing where it is not there, as in a bare archive."""
    try:
        with open(OVERVIEW, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _print(page: str) -> int:
    try:
        sys.stdout.write(page)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered for the pipe must not be tried once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    main()
