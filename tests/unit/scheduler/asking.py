"""Asking why, and what the answer says."""

from __future__ import annotations

from datetime import datetime

from crony.model.schedule import Schedule
from crony.scheduler.reasons import Answer, Code
from tests.unit.scheduler.stage import TENANT, Stage, at


def why(stage: Stage, schedule: Schedule, when: str | datetime | None = None) -> Answer:
    """Ask about an instant."""
    instant = at(when) if isinstance(when, str) else when
    return stage.service.why.of(TENANT, schedule.id, at=instant)


def said(answer: Answer) -> tuple[Code, str]:
    return answer.because.code, answer.because.detail
