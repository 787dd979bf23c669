"""The collections, and what they are indexed by.

A collection holds documents of all tenants. ``_id`` is ``tenant/id``, ``seq`` the
commit that wrote a document last. What is looked for by many is looked up in an
index alone; those of the hot path hold only what may be found there, so that neither
idle schedules nor history make them larger.
"""

from __future__ import annotations

HEADS = "heads"
INTENTS = "intents"
SCHEMA = "schema"

SCHEDULES = "schedules"
DEFINITIONS = "definitions"
VERSIONS = "versions"
RUNS = "runs"
PRUNED = "pruned"
FAULTS = "faults"
PROGRESS = "progress"
FOLLOW_UPS = "follow_ups"
EVENTS = "events"
OUTPUTS = "outputs"
PIECES = "pieces"
WORKERS = "workers"
SESSIONS = "sessions"
KEYS = "keys"
TENANTS = "tenants"
GROUPS = "groups"
PROFILES = "profiles"
WEBHOOKS = "webhooks"
DELIVERIES = "deliveries"
ANSWERS = "answers"
DUTIES = "duties"

#: Written by commits: a tombstone stands for what was deleted.
COMMITTED = (
    *(SCHEDULES, DEFINITIONS, VERSIONS, RUNS, PRUNED, FAULTS, PROGRESS, FOLLOW_UPS),
    *(EVENTS, OUTPUTS, PIECES, WORKERS, SESSIONS, KEYS, TENANTS, GROUPS),
    *(PROFILES, WEBHOOKS, DELIVERIES),
)

#: Of a tenant that goes there may be any number of these: they are not shown from the
#: commit on by which it went, and removed afterwards. Their ids are never used again.
HISTORY = frozenset(
    {
        *(DEFINITIONS, VERSIONS, RUNS, PRUNED, FAULTS, PROGRESS),
        *(EVENTS, OUTPUTS, PIECES, DELIVERIES),
    }
)
