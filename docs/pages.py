"""Write the reference pages that are tables in the code: ``python docs/pages.py``.

With ``--check`` nothing is written, and a page that is not current is an error.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import drawing
from tables import NOTE, codes, event_types, policy

from crony.api import problems
from crony.clock import EPOCH
from crony.model.policy import after_loss, after_report
from crony.model.state import (
    EXECUTING,
    HELD,
    TERMINAL,
    TRANSITIONS,
    AttemptState,
    Reason,
    RunState,
    ScheduleState,
)

REFERENCE = Path(__file__).parent / "reference"

_MEANINGS = {
    "pending": "waits for its instant, for a worker, or for its turn",
    "leased": "offered to a worker, which has not confirmed it yet",
    "running": "confirmed by a worker, which executes it",
    "stopping": "told to stop; holds its slot until it is reported or its lease ends",
    "succeeded": "the task ended well",
    "failed": "the task ended badly, and no attempt is left",
    "timed_out": "stopped because it ran too long, and no attempt is left",
    "cancelled": "stopped, or never started, because somebody asked for it",
    "missed": "came due while the service was down, and is too old to run now",
    "skipped": "came due while it should not run, such as while paused",
    "expired": "could not start in time",
    "withdrawn": "taken back as its schedule changed; comes back if it is due again",
}
_REASONS = {
    "exit": "the task ended with another exit code than 0",
    "signal": "the task was ended by a signal that Crony did not send",
    "oom": "the task used more memory than it may",
    "start_failed": "the task could not be started",
    "lost": "its worker vanished",
    "max_runtime": "it ran longer than `max_runtime`",
    "deadline": "its deadline passed",
    "overlap": "an earlier run was not over",
    "replaced": "a later run took its place",
    "deleted": "its schedule was deleted",
    "user": "somebody asked for it",
    "preempted": "a run of higher priority needed its slot",
    "misfire": "it came due while nothing ticked",
    "paused": "it came due while its schedule was paused",
}


def states() -> str:
    """Return the page of states, made from the table of transitions."""
    lines = ["# States and reasons", "", NOTE, ""]
    lines += ["A schedule is " + _listed(ScheduleState) + ".", ""]
    lines += ["## Runs", ""]
    lines += ["![From which state a run goes to which; the table below says the same.]"]
    lines[-1] += "(runs.svg)"
    lines += ["", "| state | means | may become |", "| --- | --- | --- |"]
    for state, after in TRANSITIONS.items():
        # In the table's own order, so that the page does not change by itself.
        follows = [name for name in TRANSITIONS if name in after]
        then = _listed(follows) if follows else "nothing: it is over"
        lines.append(f"| `{state}` | {_MEANINGS[state]} | {then} |")
    ordered = list(TRANSITIONS)
    lines += ["", f"Over: {_listed(s for s in ordered if s in TERMINAL)}."]
    lines += [f"In a worker's hands: {_listed(s for s in ordered if s in HELD)}."]
    lines += [f"Perhaps executing: {_listed(s for s in ordered if s in EXECUTING)}."]
    lines += [
        "",
        f"A run begins as {_listed(drawing.BEGINNINGS)}. A long stretch of",
    ]
    lines += [
        "occurrences that were missed or skipped may be one record with its range"
    ]
    lines += ["and count. [States of runs](../explanation/states.md) says why they are"]
    lines += ["what they are.", "", *_attempts()]
    lines += ["", "## Reasons", "", "| reason | means |", "| --- | --- |"]
    lines += [f"| `{reason}` | {_REASONS[reason]} |" for reason in Reason]
    return "\n".join(lines) + "\n"


def _attempts() -> list[str]:
    """Return how attempts end, and what the rules make of their runs then."""
    lines = ["## Attempts", "", f"An attempt is {_listed(AttemptState)}.", ""]
    lines += ["| attempt | the run was running | and had no try left | was stopping |"]
    lines += ["| --- | --- | --- | --- |"]
    for state in AttemptState:
        if state in (AttemptState.LEASED, AttemptState.RUNNING):
            continue
        cells = [
            _after(state, RunState.RUNNING, left=1),
            _after(state, RunState.RUNNING, left=0),
            _after(state, RunState.STOPPING, left=1),
        ]
        lines.append(f"| `{state}` | {' | '.join(f'`{cell}`' for cell in cells)} |")
    lines += ["", "`lost` attempts count against `max_lost`, not against `retries`;"]
    lines += ["`preempted` ones count against neither. A run that was stopping to make"]
    lines += ["room counts as running, when its attempt ended otherwise meanwhile."]
    return lines


def _after(attempt: AttemptState, before: RunState, *, left: int) -> RunState:
    """Return what a run becomes, by the rules that the drivers of stores follow."""
    if attempt is AttemptState.LOST:
        return after_loss(before, None, lost=1, max_lost=1 + left, now=EPOCH).state
    retry_at = EPOCH if left else None
    return after_report(before, attempt, None, retry_at=retry_at, now=EPOCH).state


def problem_types() -> str:
    """Return the page of problem types, made from the table of errors."""
    found = [v for v in vars(problems).values() if isinstance(v, problems.Kind)]
    found += problems.TABLE.values()
    kinds = {kind.name: kind for kind in found}
    lines = ["# Problem types", "", NOTE, ""]
    lines += [
        "Every refusal is an RFC 9457 body of the type `application/problem+json`.",
        "Its `type` is one of these, `detail` says what is wrong and what to do, and",
        "`errors` lists all faults of a body at once. `instance` names the request, in",
        "the service's log too.",
        "",
        "| status | type | title |",
        "| --- | --- | --- |",
    ]
    for kind in sorted(kinds.values(), key=lambda kind: (kind.status, kind.name)):
        name = f"`{problems.PREFIX}{kind.name}`"
        lines.append(f"| {kind.status} | {name} | {kind.title} |")
    lines += ["", "An answer of status 429 or 503 carries `Retry-After`."]
    return "\n".join(lines) + "\n"


PAGES = {
    "states.md": states,
    "runs.svg": drawing.runs,
    "problems.md": problem_types,
    "policy.md": policy,
    "event-types.md": event_types,
    "why.md": codes,
}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are not current."""
    stale = 0
    for name, made in PAGES.items():
        path = REFERENCE / name
        if "--check" not in arguments:
            path.write_text(made(), encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != made():
            sys.stderr.write(f"{path.name} is not current: python docs/pages.py\n")
            stale += 1
    return min(stale, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
