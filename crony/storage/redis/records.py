"""Runs and schedules as Lua keeps them, and back.

``runs.lua`` and ``schedules.lua`` say what a record has beside the value's members.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

from crony.model.policy import Policy
from crony.model.run import Attempt, Progress, Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import HELD, AttemptState, RunState
from crony.storage import rules
from crony.storage.codec import (
    definition_out,
    loads,
    policy_in,
    policy_out,
    trigger_kind,
)
from crony.storage.documents import Document, document_in, document_out
from crony.storage.redis import layout
from crony.storage.redis.engine import Engine
from crony.storage.redis.faults import translated
from crony.storage.redis.values import value_in

#: A record as it comes from Lua.
Record = dict[str, Any]

#: So many policies are remembered.
_REMEMBERED = 4096
#: Of a run, what is no part of its record.
_APART = ("attempts", "policy", "result", "tenant")


@lru_cache(maxsize=_REMEMBERED)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def policies_out(runs: Iterable[Run]) -> dict[str, str]:
    """Return the policies of runs as JSON texts, by their digests."""
    texts = {policy_out(run.policy) for run in runs}
    return {_digest(text): text for text in texts}


def run_out(run: Run) -> Document:
    """Return the record of a run that no worker has in its hands."""
    record = document_out(replace(run, attempts=(), result=None))
    for name in _APART:
        del record[name]
    record["policy"] = _digest(policy_out(run.policy))
    record["level"] = rules.rank(run.policy.sandbox.level)
    record["preemptible"] = run.policy.preemptible
    return record


class Reader:
    """Reads the records of runs: what policy a digest means is asked once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._policies: OrderedDict[str, Policy] = OrderedDict()

    def runs(self, tenant: str, records: Iterable[Record]) -> list[Run]:
        """Return runs without attempts and results."""
        found = list(records)
        known = self._of({record["policy"] for record in found}, tenant)
        return [self._run(tenant, record, known) for record in found]

    def whole(self, tenant: str, found: Mapping[str, Any]) -> Run:
        """Return a run with attempts and result, of ``reading.lua``'s record."""
        (run,) = self.runs(tenant, [found["run"]])
        result = found.get("result")
        return replace(
            run,
            attempts=tuple(_attempts(found)),
            result=None if result is None else loads(result),
        )

    def _run(self, tenant: str, record: Record, policies: Mapping[str, Policy]) -> Run:
        document = {**record, "tenant": tenant}
        del document["policy"]
        progress = document.pop("progress", None)
        run = value_in(Run, document)
        return replace(
            run,
            policy=policies[record["policy"]],
            progress=None if progress is None else progress_in(progress),
        )

    def _of(self, digests: set[str], tenant: str) -> Mapping[str, Policy]:
        known = {d: self._policies[d] for d in digests if d in self._policies}
        missing = sorted(digests - known.keys())
        if missing:
            with translated():
                texts = cast(
                    "list[bytes]",
                    self._engine.client.hmget(
                        layout.prefix(tenant) + "policies", missing
                    ),
                )
            for digest, text in zip(missing, texts, strict=True):
                self._policies[digest] = known[digest] = policy_in(text.decode())
            while len(self._policies) > _REMEMBERED:
                self._policies.popitem(last=False)
        return known


def progress_in(entry: Record) -> Progress:
    """Return a progress entry; Lua knows no 40.0."""
    percent = entry.get("percent")
    found = value_in(Progress, entry)
    return found if percent is None else replace(found, percent=float(percent))


def _attempts(found: Mapping[str, Any]) -> Sequence[Attempt]:
    run = found["run"]
    attempts = [value_in(Attempt, record) for record in found["attempts"]]
    if RunState(run["state"]) in HELD:
        attempts.append(_live(run))
    output = {token: counts for token, *counts in found["output"]}
    return sorted(
        (_with_output(each, *output.get(each.token, (0, 0))) for each in attempts),
        key=lambda attempt: attempt.token,
    )


def _with_output(attempt: Attempt, written: int, kept: int) -> Attempt:
    return replace(attempt, log_bytes=written, log_kept=kept)


def _live(run: Record) -> Attempt:
    """Return the attempt that a worker has in its hands."""
    offer = run["state"] == RunState.LEASED.value
    return document_in(
        Attempt,
        {
            "number": run["attempt"],
            "token": run["token"],
            "state": (AttemptState.LEASED if offer else AttemptState.RUNNING).value,
            "worker": run["worker"],
            "worker_name": run["worker_name"],
            "leased_at": run["leased_at"],
            "started_at": run.get("attempt_started"),
        },
    )


def schedule_out(schedule: Schedule) -> Document:
    """Return the record of a schedule; its definition is kept apart."""
    record = document_out(schedule)
    del record["definition"], record["tenant"]
    written = schedule.definition
    return {
        **record,
        "name": written.name,
        "folded": (written.name or "").lower(),
        "group": written.group,
        "profile": written.profile,
        "queue": written.queue,
        "trigger": trigger_kind(written.trigger),
        "labels": json.dumps(dict(written.labels)),
        "paused": schedule.paused,
    }


def written_out(definition: Definition) -> Document:
    """Return a definition as scripts take it: its text, and the labels it requires."""
    return {
        "definition": definition_out(definition),
        "requires": json.dumps(sorted(definition.requires.items()), ensure_ascii=False),
    }


def schedule_in(tenant: str, found: Record) -> Schedule:
    """Return the schedule of ``schedules.whole``'s record."""
    document = {
        **found["record"],
        "tenant": tenant,
        "definition": found["definition"],
    }
    return value_in(Schedule, document)
