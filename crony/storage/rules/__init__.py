"""What every driver decides alike, as pure functions.

The contract's sentences about tokens, revocations and labels are written once
here; a driver looks the facts up and asks.
"""

from crony.storage.rules.entries import (
    ERROR_TEXT,
    FAULTS,
    PROGRESS_KEPT,
    error_entry,
    hook_error,
    hook_progress,
)
from crony.storage.rules.hooks import follow_up, next_pulse
from crony.storage.rules.lanes import (
    SANDBOX_LEVELS,
    Lane,
    carries,
    lane_of,
    rank,
    satisfied,
    turn,
)
from crony.storage.rules.limits import QUOTA_PAUSE, SCOPE_RUNS, catch_up_share
from crony.storage.rules.output import Kept, pieces
from crony.storage.rules.sessions import began_before, check_session
from crony.storage.rules.standings import cause, closed_before, report_counts, standing
from crony.storage.rules.verdicts import closing_verdict, ended_as, loss_verdict

__all__ = [
    "ERROR_TEXT",
    "FAULTS",
    "PROGRESS_KEPT",
    "QUOTA_PAUSE",
    "SANDBOX_LEVELS",
    "SCOPE_RUNS",
    "Kept",
    "Lane",
    "began_before",
    "carries",
    "catch_up_share",
    "cause",
    "check_session",
    "closed_before",
    "closing_verdict",
    "ended_as",
    "error_entry",
    "follow_up",
    "hook_error",
    "hook_progress",
    "lane_of",
    "loss_verdict",
    "next_pulse",
    "pieces",
    "rank",
    "report_counts",
    "satisfied",
    "standing",
    "turn",
]
