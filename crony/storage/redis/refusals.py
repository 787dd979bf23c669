"""What a script refuses, as the error that the contract names.

A script answers ``{refused = {<name>, …}}`` before it has written anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from crony import errors
from crony.storage import changes, rules


def _exceeded(detail: str) -> errors.QuotaExceeded:
    return errors.QuotaExceeded(detail, retry_after=rules.QUOTA_PAUSE)


_OURS: dict[str, Callable[..., errors.CronyError]] = {
    "NotFound": errors.NotFound,
    "NameTaken": lambda noun, name, holder: errors.NameTaken(noun, name, holder=holder),
    "Lagging": changes.lagging,
    "StaleSession": lambda: errors.StaleToken(
        "this session of the worker was replaced"
    ),
    "StaleSequence": lambda: errors.StaleToken(
        "a newer request of this worker has come since"
    ),
    "RunOver": errors.RunOver,
    "ScheduleQuota": lambda quota: _exceeded(
        f"the tenant has {quota} schedules, which is all it may have"
    ),
    "RunQuota": lambda pending, quota, new: _exceeded(
        f"the tenant has {pending} pending runs, and may have {quota}: "
        f"there is no room for {new} more"
    ),
    "InUse": errors.InUse,
    "QuotaExceeded": lambda detail: errors.QuotaExceeded(
        detail, retry_after=rules.QUOTA_PAUSE
    ),
}


def refusal(answer: object) -> errors.CronyError | None:
    """Return the error that an answer is, if it is one."""
    if not isinstance(answer, dict) or "refused" not in answer:
        return None
    name, *facts = cast("list[Any]", answer["refused"])
    return _OURS[name](*facts)


def check(answer: Any) -> Any:
    """Return an answer, or raise the error that it is."""
    refused = refusal(answer)
    if refused is not None:
        raise refused
    return answer
