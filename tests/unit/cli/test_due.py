"""What stands under NEXT, while runs wait that were made ahead."""

from __future__ import annotations

from datetime import UTC, datetime

from crony.cli.due import following
from crony.model.task import Json, JsonObject

NOW = datetime(2026, 11, 21, 2, 0, 4, tzinfo=UTC)
CURSOR = "2026-11-21T02:00:15.000Z"


def run(second: int, state: str, origin: str = "schedule") -> dict[str, Json]:
    instant = f"2026-11-21T02:00:{second:02}.000Z"
    return {"scheduled_for": instant, "state": state, "origin": origin}


def schedule(*runs: dict[str, Json], cursor: str | None = CURSOR) -> JsonObject:
    return {"next_run_at": cursor, "recent_runs": list(runs)}


def test_a_run_that_was_made_ahead_is_next() -> None:
    found = schedule(run(10, "pending"), run(5, "leased"), run(0, "succeeded"))
    assert following(found, NOW) == "2026-11-21T02:00:05.000Z"


def test_the_last_occurrence_is_next_until_it_starts() -> None:
    assert following(schedule(run(5, "pending"), cursor=None), NOW).endswith("05.000Z")
    assert following(schedule(run(5, "running"), cursor=None), NOW) == ""


def test_what_is_over_late_or_asked_for_by_hand_is_not_next() -> None:
    found = schedule(
        run(6, "cancelled"), run(5, "pending", "manual"), run(1, "pending")
    )
    assert following(found, NOW) == CURSOR
