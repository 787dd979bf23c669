"""The schedules under test, each with what may become of its occurrences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: How an occurrence, or a run, ended: its state and reason.
End = tuple[str, str | None]

SUCCEEDED: End = ("succeeded", None)
SKIPPED: End = ("skipped", "overlap")
REPLACED: End = ("cancelled", "replaced")
KILLED: End = ("failed", "signal")
PAUSED: End = ("skipped", "paused")

GROUP, GROUP_LIMIT = "squad", 2

#: A killed task, or a lost worker, is no failure of what the policy promises.
_PATIENT = {
    "retries": {"max": 100, "backoff": "200ms", "factor": 1, "randomize": False},
    "max_lost": 1000,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A schedule that is due every so many seconds of a minute.

    ``lasts`` is what its task sleeps, in the words of a shell. ``must`` are ends that
    some occurrence has, whatever is killed.
    """

    name: str
    period: int
    lasts: str = "0.2"
    limit: int = 1
    policy: Mapping[str, object] = field(default_factory=dict)
    group: str | None = None
    #: The first attempt of each run exits with a code that is an error.
    fails_first: bool = False
    at_most_once: bool = False
    may: frozenset[End] = frozenset()
    must: frozenset[End] = frozenset({SUCCEEDED})

    @property
    def ends(self) -> frozenset[End]:
        return self.may | self.must

    def body(self, *, command: str, folder: str) -> dict[str, object]:
        """Return what to create it with."""
        return {
            "name": self.name,
            "cron": f"*/{self.period} * * * * *",
            "task": {"command": command},
            "max_concurrent": self.limit,
            "sandbox": {"rw_paths": [folder]},
            **({} if self.group is None else {"group": self.group}),
            **({} if self.at_most_once else _PATIENT),
            **self.policy,
        }


#: The one that is paused now and then.
PAUSING = Plan(
    name="squad-1",
    period=3,
    lasts="0.7",
    group=GROUP,
    may=frozenset({PAUSED}),
)
#: The one that is triggered by hand now and then.
MANUAL = Plan(name="every-second", period=1, limit=4)

PLANS = (
    MANUAL,
    Plan(
        name="slow",
        period=2,
        lasts="3",
        policy={"on_overlap": "skip"},
        must=frozenset({SUCCEEDED, SKIPPED}),
    ),
    Plan(
        name="replaced",
        period=3,
        # Every second one is so slow that the next stops it.
        lasts="$((1 + 3 * ($(date +%s) % 2)))",
        policy={"on_overlap": "replace"},
        must=frozenset({SUCCEEDED, REPLACED}),
        # A task that is killed while it is being stopped is not tried again.
        may=frozenset({KILLED}),
    ),
    PAUSING,
    Plan(name="squad-2", period=3, lasts="0.7", group=GROUP),
    Plan(name="squad-3", period=3, lasts="0.7", group=GROUP),
    Plan(name="failing", period=3, fails_first=True),
    Plan(
        name="at-most-once",
        period=2,
        # There is mostly one that a killed worker loses.
        lasts="1.5",
        policy={"delivery": "at_most_once"},
        at_most_once=True,
        may=frozenset(
            {("failed", "lost"), ("failed", "signal"), ("failed", "start_failed")}
        ),
    ),
)
