"""The schemas of answers about what was due, and what became of it."""

from __future__ import annotations

from crony.api.openapi.schema import (
    COUNT,
    FLAG,
    INSTANT,
    TEXT,
    Schema,
    array,
    identity,
    members,
    nullable,
    ref,
    words,
)
from crony.api.vocabulary import REASONS, STATES
from crony.model.state import RunState
from crony.scheduler.accounts import Beyond
from crony.scheduler.audit import PRUNED
from crony.scheduler.eras import Doubt
from crony.scheduler.reasons import Code

#: A withdrawn run stands for no occurrence.
_STANDINGS = [
    *(state.value for state in STATES if state is not RunState.WITHDRAWN),
    *(word.value for word in Beyond),
]

_BY_STATE: Schema = {
    "type": "object",
    "propertyNames": words(STATES),
    "additionalProperties": COUNT,
}

#: By the names that the route table uses.
ACCOUNTS: dict[str, Schema] = {
    "Occurrence": members(
        at=INSTANT,
        until=nullable(INSTANT),
        count=COUNT,
        state={"type": "string", "enum": list(_STANDINGS)},
        reason=nullable(words(REASONS)),
        run=nullable(identity("run")),
        revision=nullable(COUNT),
    ),
    "OccurrencePage": members(
        items=array(ref("Occurrence")),
        next=nullable(TEXT),
        pruned=nullable(
            members(until=INSTANT, occurrences=_BY_STATE, others=_BY_STATE)
        ),
    ),
    "Audit": members(
        checked=COUNT,
        schedules=COUNT,
        gaps=array(
            members(
                schedule=identity("sch"),
                at=INSTANT,
                until=nullable(INSTANT),
                count=COUNT,
                revision=nullable(COUNT),
            )
        ),
        unverifiable=array(
            members(
                schedule=identity("sch"),
                why={"type": "string", "enum": [PRUNED, *(d.value for d in Doubt)]},
                **{"from": INSTANT, "to": INSTANT},
            )
        ),
        next=nullable(TEXT),
    ),
    "Why": members(
        at=INSTANT,
        schedule=identity("sch"),
        code=words(Code),
        detail=TEXT,
        occurrence=nullable(INSTANT),
        before=nullable(INSTANT),
        after=nullable(INSTANT),
        run=nullable(identity("run")),
        runs=array(identity("run")),
        revision=nullable(COUNT),
    ),
    "Backfill": members(
        schedule=identity("sch"),
        dry_run=FLAG,
        count=COUNT,
        runs=array(members(id=nullable(identity("run")), scheduled_for=INSTANT)),
        **{"from": INSTANT, "to": INSTANT},
    ),
}
