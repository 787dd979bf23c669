"""Read the commands that a page of the documentation marks for running.

A block of the kind ``console`` is marked by a comment in front of it: in Markdown
``<!-- run -->``, in reStructuredText ``.. run``. A line that begins with ``$`` is a
command and goes on while lines end with a backslash; the lines after it are the output
that the page promises, where ``…`` stands for anything; as a line of its own it stands
for any lines, or none. Without such lines only the exit code counts.

In Markdown ``<!-- file NAME -->`` in front of a block says that it is to be saved, and
``<!-- run on NAME -->`` that it wants more around it than a running service.
"""

import re
from dataclasses import dataclass
from itertools import takewhile

FILE = re.compile(r"<!-- file ([\w.-]+) -->")
CONSOLE = "```console"
MARKS = {"<!-- run -->": CONSOLE, ".. run": ".. code-block:: console"}
MARK_ON = "<!-- run on {} -->"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page, and the output that the page promises."""

    command: str
    promised: str

    def keeps_its_promise(self, output: str) -> bool:
        """Say whether the page would have told the truth about this output."""
        if not self.promised:
            return True
        pattern = ""
        for line in self.promised.splitlines():
            # Columns are as wide as what stands in them.
            exact = r"\n" + re.sub(r"(\\ )+", " +", re.escape(line)).replace("…", ".*")
            pattern += r"(?:\n.*)?" if line == "…" else exact
        return re.fullmatch(pattern, "\n" + output.strip(), re.DOTALL) is not None


def is_walked(page: str) -> bool:
    """Return whether a page has commands for a running service."""
    return any(line.strip() in MARKS for line in page.splitlines())


def steps(page: str, *, on: str | None = None) -> list[Step]:
    """Return the marked commands of a page, in its order.

    ``on`` asks for those that are marked for that.
    """
    marks = MARKS if on is None else {MARK_ON.format(on): CONSOLE}
    lines = page.splitlines()
    found: list[Step] = []
    for number, line in enumerate(lines):
        if line.strip() in marks:
            found.extend(_steps_of(_block(lines, number, marks[line.strip()])))
        elif saved := FILE.fullmatch(line.strip()):
            text = _fenced(lines[number + 1 :])
            found.append(Step(_saving(saved[1], text), ""))
    return found


def _saving(name: str, lines: list[str]) -> str:
    return "\n".join([f"cat > {name} <<'END OF FILE'", *lines, "END OF FILE"])


def _fenced(rest: list[str]) -> list[str]:
    """Return what stands in the fenced block that begins the lines."""
    if not rest or not rest[0].startswith("```"):
        raise ValueError("a file's mark is not in front of a block")
    return list(takewhile(lambda line: line.strip() != "```", rest[1:]))


def _block(lines: list[str], number: int, opening: str) -> list[str]:
    """Return the lines of the block that follows the mark in line ``number``."""
    rest = lines[number + 1 :]
    while rest and not rest[0].strip():
        rest.pop(0)
    if not rest or rest[0].strip() != opening:
        raise ValueError(f"line {number + 1}: the mark is not in front of a block")
    if opening == CONSOLE:
        return _fenced(rest)
    indented = takewhile(lambda line: not line or line.startswith(" "), rest[1:])
    return [line.removeprefix("   ") for line in indented if line]


def _steps_of(block: list[str]) -> list[Step]:
    commands: list[list[str]] = []
    outputs: list[list[str]] = []
    for line in block:
        if line.startswith("$ "):
            commands.append([line[2:]])
            outputs.append([])
        elif not commands:
            raise ValueError(f"{line!r} comes before the first command of its block")
        elif not outputs[-1] and commands[-1][-1].endswith("\\"):
            commands[-1].append(line)
        else:
            outputs[-1].append(line)
    return [
        Step("\n".join(command), "\n".join(output).strip())
        for command, output in zip(commands, outputs, strict=True)
    ]
