"""What every driver decides alike, as pure functions.

The contract's sentences about tokens, revocations and labels are written once
here; a driver looks the facts up and asks. For those that keep runs and schedules
whole, what a step makes of these is here as well: see ``steps`` and ``settling``.
"""

from crony.storage.rules.entries import (
    ERROR_TEXT,
    FAULTS,
    PROGRESS_KEPT,
    error_entry,
    fault,
    heard,
    hook_error,
    hook_progress,
)
from crony.storage.rules.hooks import first_pulse, follow_up, next_pulse, owed
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
from crony.storage.rules.looks import live
from crony.storage.rules.output import Kept, pieces
from crony.storage.rules.overlaps import by_due, giving_way, in_the_way
from crony.storage.rules.sessions import (
    began_before,
    check_begin,
    check_session,
    check_stored,
)
from crony.storage.rules.settling import advanced, advances, is_ahead, settled
from crony.storage.rules.standings import (
    cause,
    closed_before,
    confirm_standing,
    report_counts,
    report_standing,
    running_standing,
    standing,
)
from crony.storage.rules.steps import (
    closed,
    confirmed,
    lease_end,
    leased,
    lost,
    without_offer,
)
from crony.storage.rules.verdicts import (
    closing_verdict,
    ended_as,
    loss_verdict,
    stops_for_good,
)

__all__ = [
    "ERROR_TEXT",
    "FAULTS",
    "PROGRESS_KEPT",
    "QUOTA_PAUSE",
    "SANDBOX_LEVELS",
    "SCOPE_RUNS",
    "Kept",
    "Lane",
    "advanced",
    "advances",
    "began_before",
    "by_due",
    "carries",
    "catch_up_share",
    "cause",
    "check_begin",
    "check_session",
    "check_stored",
    "closed",
    "closed_before",
    "closing_verdict",
    "confirm_standing",
    "confirmed",
    "ended_as",
    "error_entry",
    "fault",
    "first_pulse",
    "follow_up",
    "giving_way",
    "heard",
    "hook_error",
    "hook_progress",
    "in_the_way",
    "is_ahead",
    "lane_of",
    "lease_end",
    "leased",
    "live",
    "loss_verdict",
    "lost",
    "next_pulse",
    "owed",
    "pieces",
    "rank",
    "report_counts",
    "report_standing",
    "running_standing",
    "satisfied",
    "settled",
    "standing",
    "stops_for_good",
    "turn",
    "without_offer",
]
