"""The file that tasks write themselves, and what it must agree with the ledger on.

The service never reads it. Each attempt takes locks that the kernel gives back only
when the last of its processes is dead: that of its run, and one of as many as its
schedule and its group may run at once. An attempt that can't have one was started
while too many others were still alive.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.plans import GROUP, GROUP_LIMIT, PLANS, Plan

#: Runs as the service tells of them, attempts included.
Ledger = Sequence[Mapping[str, object]]

#: An attempt: its run and its number.
Key = tuple[str, int]

#: What a schedule runs; ``@`` is the folder of the witness. Each line goes out in one
#: write with O_APPEND and is fsynced before the task goes on.
_TASK = r"""
say() {
  printf '%s %s %s %s %s\n' "$1" "$CRONY_SCHEDULE_NAME" "$CRONY_RUN_ID" \
    "$CRONY_ATTEMPT" "$(date +%s%N)" |
    dd of=@/witness oflag=append conv=notrunc,fsync status=none
}
claim() {
  n=$3
  while [ "$n" -gt 0 ]; do
    case $1 in
      7) exec 7>"@/$2.$n.lock" ;;
      8) exec 8>"@/$2.$n.lock" ;;
    esac
    flock -n "$1" && return
    n=$((n - 1))
  done
  say crowd
}
umask 0
exec 6>"@/$CRONY_RUN_ID.lock"
flock -n 6 || say overlap
"""


@dataclass(frozen=True)
class Line:
    """``word`` (start, end, overlap, crowd) of one attempt, at so many nanoseconds."""

    word: str
    schedule: str
    run: str
    attempt: int
    at: int

    @property
    def key(self) -> Key:
        return (self.run, self.attempt)


class Witness:
    """The folder in which the tasks of a test write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        # Tasks run under user ids of their own.
        folder.chmod(0o777)
        (folder / "witness").touch()
        (folder / "witness").chmod(0o666)

    def task(self, plan: Plan) -> str:
        """Return the shell's words for what a schedule runs."""
        lines = [f"claim 7 schedule-{plan.name} {plan.limit}"]
        if plan.group is not None:
            lines.append(f"claim 8 group-{plan.group} {GROUP_LIMIT}")
        lines.append("say start")
        if plan.fails_first:
            lines.append('[ "$CRONY_ATTEMPT" -gt 1 ] || exit 3')
        lines += [f"sleep {plan.lasts}", "say end", 'echo "done $CRONY_RUN_ID"']
        return _TASK.replace("@", str(self.folder)) + "\n".join(lines) + "\n"

    def lines(self) -> list[Line]:
        found = []
        for text in (self.folder / "witness").read_text().splitlines():
            word, schedule, run, attempt, at = text.split()
            found.append(Line(word, schedule, run, int(attempt), int(at)))
        return found

    def disagreements(self, ledger: Ledger, *, killed: Collection[Key]) -> list[str]:
        """Return in words all that is not as it was promised.

        ``killed`` are the attempts whose task was killed by the test.
        """
        lines = self.lines()
        found = [
            f"{line}: an attempt before it was alive" for line in _of(lines, "overlap")
        ]
        found += [f"{line}: too many at once" for line in _of(lines, "crowd")]
        found += _started_twice(lines)
        found += _overlapping(lines)
        for plan in PLANS:
            found += _crowded(lines, [plan], limit=plan.limit)
        squad = [plan for plan in PLANS if plan.group == GROUP]
        found += _crowded(lines, squad, limit=GROUP_LIMIT)
        found += _unlike_the_ledger(lines, ledger, killed=killed)
        return found


def _of(lines: Sequence[Line], word: str) -> list[Line]:
    return [line for line in lines if line.word == word]


def _started_twice(lines: Sequence[Line]) -> list[str]:
    started = _of(lines, "start")
    counted = Counter(line.key for line in started)
    found = [f"{key}: started {n} times" for key, n in counted.items() if n > 1]
    for plan in PLANS:
        if plan.at_most_once:
            runs = Counter(line.run for line in started if line.schedule == plan.name)
            found += [f"{run}: started {n} times" for run, n in runs.items() if n > 1]
    return found


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


def _crowded(lines: Sequence[Line], plans: Sequence[Plan], *, limit: int) -> list[str]:
    """Return when too many attempts were between their start and their end.

    Those that came to no end are left to the locks.
    """
    names = {plan.name for plan in plans}
    ends = {line.key: line.at for line in _of(lines, "end")}
    spans = [
        (line.at, ends[line.key])
        for line in _of(lines, "start")
        if line.schedule in names and line.key in ends
    ]
    # At one instant, who ends goes before who starts.
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    found, at_once = [], 0
    for at, change in edges:
        at_once += change
        if at_once > limit:
            found.append(f"{at_once} of {sorted(names)} at once at {at}")
    return found


def _unlike_the_ledger(
    lines: Sequence[Line], ledger: Ledger, *, killed: Collection[Key]
) -> list[str]:
    starts = {line.key for line in _of(lines, "start")}
    ends = {line.key for line in _of(lines, "end")}
    fail_first = {plan.name for plan in PLANS if plan.fails_first}
    known: set[Key] = set()
    found = []
    for run in ledger:
        attempts = run["attempts"]
        assert isinstance(attempts, list)
        for attempt in attempts:
            number, state = attempt["attempt"], attempt["state"]
            key = (str(run["id"]), number)
            known.add(key)
            first = run["schedule_name"] in fail_first and number == 1
            if state == "succeeded" and key not in ends:
                found.append(f"{key}: succeeded in the ledger, but it never ended")
            if state in ("leased", "running"):
                found.append(f"{key}: the ledger does not say how it ended")
            if state == "failed" and not first and key not in killed:
                found.append(f"{key}: failed by itself: {attempt}")
    found += [f"{key}: started, but not in the ledger" for key in starts - known]
    return found
