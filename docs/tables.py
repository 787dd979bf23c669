"""Make the pages on policy, types of events and codes of `why` from the code."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

from crony import wire
from crony.api.bodies.policy import PolicyBody
from crony.model.event import RUN_EVENTS, SCHEDULE_EVENTS, WORKER_EVENTS
from crony.model.policy import Policy, Retention, Retries, Sandbox
from crony.scheduler.reasons import Code

NOTE = "<!-- Written by `python docs/pages.py`. -->"
_SIZES = ("memory", "disk", "log")

_POLICY = {
    "max_runtime": "then the task gets SIGTERM, after `grace` SIGKILL: `timed_out`",
    "grace": "what a task has from SIGTERM to SIGKILL",
    "max_concurrent": "how many runs of the schedule go at once",
    "on_overlap": "what happens at its instant when earlier runs are unfinished",
    "misfire": "which occurrences still run that came due while nothing ticked",
    "misfire_window": "those that are older than this are `missed`",
    "retries.max": "how often a failed or timed-out attempt is repeated",
    "retries.backoff": "the wait before the first retry",
    "retries.factor": "by how much each wait is longer than the last",
    "retries.max_backoff": "the longest wait",
    "retries.randomize": "each wait is drawn from its upper half",
    "max_lost": "so many attempts lost with their workers fail the run",
    "priority": "high goes first",
    "deadline": "after the due instant: then it is `expired`, or stopped",
    "preemptible": "gives way to a run of higher priority",
    "delivery": "whether a run may start a second time",
    "sandbox.level": "the least that a worker must have proved",
    "sandbox.network": "whether the task has the host's network",
    "sandbox.memory": "for all processes of the task",
    "sandbox.cpu": "in cores",
    "sandbox.pids": "processes and threads",
    "sandbox.disk": "of the workspace",
    "sandbox.ro_paths": "of the host, to read",
    "sandbox.rw_paths": "of the host, to write",
    "sandbox.pass_env": "variables of the worker",
    "retention.runs": "the newest of a schedule are kept",
    "retention.age": "while they are not older",
    "retention.log": "output that is kept of each attempt",
}

_EVENTS = {
    "run.progress": "how far an attempt is was told, or a hook said something of it",
    "run.lost": "an attempt was lost with its worker; what becomes of the run follows",
    "run.preempted": "an attempt gave way; `run.pending` follows",
    "schedule.created": "it was stored",
    "schedule.updated": "its definition changed",
    "schedule.paused": "by itself, or with its group",
    "schedule.resumed": "by itself, or with its group",
    "schedule.finished": "nothing of it will come due any more",
    "schedule.deleted": "its history stays",
    "worker.registered": "or registered again",
    "worker.draining": "it gets nothing new",
    "worker.lost": "it was not heard of for a lease time",
    "worker.deleted": "its key stopped working",
}

_CODES = {
    "not_due": "nothing is due at that instant; `before` and `after` are the nearest",
    "upcoming": "it is still to come",
    "due": "it has come due, and nothing ticked since",
    "paused": "the schedule, or its group, was or is paused",
    "held": "its tenant moved in, and was not activated yet",
    "outside_bounds": "it lies before the schedule's life, beyond `start_at`, `end_at` "
    "or `max_runs`",
    "misfire": "it came due while nothing ticked, and `misfire` lets it not run",
    "overlap": "an earlier run was unfinished, or a later one took its place",
    "limit": "`max_concurrent` of its schedule, group or tenant is used up",
    "no_worker": "no worker that is there may run it",
    "no_slot": "all slots of the workers that may run it are taken",
    "waiting": "a worker may take it at any moment",
    "waiting_retry": "an attempt failed, and the next one waits for its time",
    "preempted": "it gave way to a run of higher priority, and waits",
    "lost": "its worker vanished",
    "deadline": "its deadline came first",
    "leased": "it was offered to a worker",
    "running": "it runs",
    "stopping": "it was told to stop",
    "succeeded": "it ended well",
    "failed": "it ended badly",
    "timed_out": "it ran too long",
    "cancelled": "somebody cancelled it",
    "deleted": "its schedule was deleted",
    "withdrawn": "an edit took it back before it started",
    "pruned": "its record was removed by `retention`",
    "unrecorded": "it was settled and has no record, which must not be",
    "unknown": "what was due then can't be told any more",
}


def policy() -> str:
    """Return the page of policy fields."""
    lines = ["# Policy", "", NOTE, ""]
    lines += ["Each of these may be set by a schedule and by a profile; what none of"]
    lines += ["them sets is built in. [Policy](../explanation/policies.md) explains"]
    lines += ["what they mean together.", ""]
    lines += ["| field | values | built in | meaning |", "| --- | --- | --- | --- |"]
    schema = PolicyBody.model_json_schema()
    for name, value in _members(Policy()):
        whole, _, part = name.partition(".")
        found = schema["properties"][whole]
        if part:
            kind = found["anyOf"][0]["$ref"].rpartition("/")[2]
            found = schema["$defs"][kind]["properties"][part]
        cells = [f"`{name}`", _values(found), _said(name, value), _POLICY[name]]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "A group and a tenant have a `max_concurrent` of their own, over all"]
    lines += ["of their schedules; there it is none unless set."]
    return "\n".join(lines) + "\n"


def event_types() -> str:
    """Return the page of types of events."""
    lines = ["# Types of events", "", NOTE, ""]
    lines += ["The types of runs are the [states](states.md), and three that say what"]
    lines += ["the state does not. `run.*`, `schedule.*` and `worker.*` ask for all of"]
    lines += ["a noun.", "", "| type | says |", "| --- | --- |"]
    for noun, words in (
        ("run", RUN_EVENTS),
        ("schedule", SCHEDULE_EVENTS),
        ("worker", WORKER_EVENTS),
    ):
        for word in words:
            kind = f"{noun}.{word}"
            said = _EVENTS.get(kind) or f"a run became `{word}`, or was stored as that"
            lines.append(f"| `{kind}` | {said} |")
    lines += ["", "`data` of `run.*` is the run's summary, as in `GET /runs`; of"]
    lines += ["`schedule.*` it is `id`, `name` and `revision`; of `worker.*` it is"]
    lines += ["`id`, `name` and `state`. A test of a webhook has the type"]
    lines += ["`webhook.ping`; no stream shows it."]
    return "\n".join(lines) + "\n"


def codes() -> str:
    """Return the page of codes that answer *why*."""
    lines = ["# Codes of why", "", NOTE, ""]
    lines += ["`GET /schedules/{schedule}/why` says by one of these what keeps an"]
    lines += [
        "occurrence, or how it ended; `detail` says it in words, with what to do.",
        "",
    ]
    lines += ["| code | means |", "| --- | --- |"]
    lines += [f"| `{code}` | {_CODES[code]} |" for code in Code]
    return "\n".join(lines) + "\n"


def _members(whole: object, prefix: str = "") -> list[tuple[str, object]]:
    """Return names and values, those of the parts one by one."""
    found: list[tuple[str, object]] = []
    for field in fields(whole):  # type: ignore[arg-type]  # one of four dataclasses
        value = getattr(whole, field.name)
        if isinstance(value, Retries | Sandbox | Retention):
            found += _members(value, f"{field.name}.")
        else:
            found.append((prefix + field.name, value))
    return found


def _values(schema: dict[str, Any]) -> str:
    """Return what JSON may say, in words."""
    kind = schema["anyOf"][0] if "anyOf" in schema else schema
    if "enum" in kind:
        return ", ".join(f"`{word}`" for word in kind["enum"])
    if "minimum" in kind:
        return f"{kind['minimum']}..{kind['maximum']}"
    if "exclusiveMinimum" in kind:
        return f"above {kind['exclusiveMinimum']}, up to {kind['maximum']}"
    if kind["type"] == "array":
        return "a list of texts"
    if kind["type"] == "boolean":
        return "`true`, `false`"
    return "a duration" if kind.get("format") == "crony-duration" else "a size"


def _said(name: str, value: object) -> str:
    """Return a built-in value as it is written."""
    if value is None or value == ():
        return "none"
    if isinstance(value, timedelta):
        return f"`{wire.format_duration(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int) and name.rpartition(".")[2] in _SIZES:
        return f"`{wire.format_size(value)}`"
    return f"`{value}`"
