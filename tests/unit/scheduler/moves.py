"""Moving a tenant from one service to another, as lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from crony.scheduler.moving import Outcome
from tests.unit.scheduler.stage import TENANT, Stage


def export(stage: Stage, **options: object) -> list[bytes]:
    """Return the lines of the tenant."""
    return list(stage.service.departure.lines((TENANT,), **options))  # type: ignore[arg-type]  # the test's


def take(stage: Stage, lines: Sequence[bytes], **options: object) -> list[Outcome]:
    """Take lines in; return what became of each, in order."""
    outcomes = list(stage.service.arriving.take(lines, **options))  # type: ignore[arg-type]  # the test's
    assert sorted(each.line for each in outcomes) == list(range(1, len(lines) + 1))
    return sorted(outcomes, key=lambda each: each.line)


def move(there: Stage, here: Stage) -> Counter[str]:
    """Move the tenant; return how often what became of a line."""
    here.clock.set(there.clock.now())
    outcomes = take(here, export(there))
    assert not [each for each in outcomes if each.error is not None]
    return Counter(each.word for each in outcomes)


def kinds(lines: Sequence[bytes]) -> list[str]:
    return [json.loads(line)["kind"] for line in lines]
