"""The file that tasks write themselves, and what it must agree with the ledger on.

The service never reads it. Each attempt first takes the lock of its run, which
the kernel gives back only when the last process of the attempt is dead: a second
attempt that can't have it was started while the first was still alive.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Ledger = Sequence[Mapping[str, object]]

#: What the schedule runs; ``@`` is the folder of the witness. Each line goes out
#: in one write with O_APPEND and is fsynced before the task goes on.
_TASK = r"""
say() {
  printf '%s %s %s %s\n' "$1" "$CRONY_RUN_ID" "$CRONY_ATTEMPT" "$(date +%s%N)" |
    dd of=@/witness oflag=append conv=notrunc,fsync status=none
}
umask 0
exec 9>"@/$CRONY_RUN_ID.lock"
flock -n 9 || say overlap
say start
sleep 0.2
say end
echo "done $CRONY_RUN_ID"
"""


@dataclass(frozen=True)
class Line:
    """``word`` (start, end, overlap) of one attempt, at so many nanoseconds."""

    word: str
    run: str
    attempt: int
    at: int


class Witness:
    """The folder in which the tasks of a test write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        # Tasks run under user ids of their own.
        folder.chmod(0o777)
        (folder / "witness").touch()
        (folder / "witness").chmod(0o666)

    def task(self) -> str:
        return _TASK.replace("@", str(self.folder))

    def lines(self) -> list[Line]:
        found = []
        for text in (self.folder / "witness").read_text().splitlines():
            word, run, attempt, at = text.split()
            found.append(Line(word, run, int(attempt), int(at)))
        return found

    def disagreements(self, ledger: Ledger) -> list[str]:
        """Return in words all that the file and the ledger differ in."""
        lines = self.lines()
        found = [f"{line.run}: two attempts at once" for line in _of(lines, "overlap")]
        found += _started_twice(lines)
        found += _overlapping(lines)
        starts = {(line.run, line.attempt) for line in _of(lines, "start")}
        ends = {(line.run, line.attempt) for line in _of(lines, "end")}
        known = {}
        for run in ledger:
            attempts = run["attempts"]
            assert isinstance(attempts, list)
            for attempt in attempts:
                known[run["id"], attempt["attempt"]] = attempt["state"]
        found += [
            f"{key}: started, but not in the ledger" for key in starts - set(known)
        ]
        for key, state in known.items():
            if state == "succeeded" and key not in ends:
                found.append(f"{key}: succeeded in the ledger, but it never ended")
            if state in ("leased", "running"):
                found.append(f"{key}: the ledger does not say how it ended")
        return found


def _of(lines: Sequence[Line], word: str) -> list[Line]:
    return [line for line in lines if line.word == word]


def _started_twice(lines: Sequence[Line]) -> list[str]:
    counted = Counter((line.run, line.attempt) for line in _of(lines, "start"))
    return [f"{key}: started {n} times" for key, n in counted.items() if n > 1]


def _overlapping(lines: Sequence[Line]) -> list[str]:
    """Return the attempts that began before an earlier one of the run had ended."""
    spans: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        spans[line.run].append(line)
    found = []
    for run, its in spans.items():
        open_attempt = None
        for line in sorted(its, key=lambda line: line.at):
            if line.word == "end" and open_attempt not in (None, line.attempt):
                found.append(f"{run}: attempt {line.attempt} ended inside another")
            if line.word == "start":
                open_attempt = line.attempt
    return found
