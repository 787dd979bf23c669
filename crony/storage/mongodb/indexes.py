"""The indexes, by collection.

A partial index holds only documents with a member that is absent elsewhere, such as
what is due: history and what is idle do not make it larger. A question must name that
member, or the server would not look there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crony.storage.documents import Document
from crony.storage.mongodb import kinds
from crony.storage.mongodb.records import ENDED_AT, HOOK_ENDED_AT
from crony.storage.mongodb.work import GONE

#: Longer than any writer can be late: see ``applying``.
_TOMBSTONE_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Index:
    """An index: its members, each upwards or with ``-`` downwards."""

    name: str
    members: tuple[str, ...]
    #: What a document says that is in it; ``None``: all are.
    only: Mapping[str, object] | None = None
    #: How many seconds after its first member's instant a document goes.
    lasts: int | None = None

    @property
    def keys(self) -> Sequence[tuple[str, int]]:
        """The members as the server wants them."""
        return [(m.removeprefix("-"), -1 if m[0] == "-" else 1) for m in self.members]

    @property
    def options(self) -> Document:
        """What else the server wants to know."""
        options: Document = {"name": self.name}
        if self.only is not None:
            options["partialFilterExpression"] = dict(self.only)
        if self.lasts is not None:
            options["expireAfterSeconds"] = self.lasts
        return options


def _has(member: str) -> Mapping[str, object]:
    return {member: {"$exists": True}}


_TOMBSTONES = Index("tombstones", (GONE,), _has(GONE), _TOMBSTONE_SECONDS)

_PENDING = {"state": "pending"}
_HELD = {"holder": {"$gt": ""}}


def _dated(name: str, *owner: str, only: Mapping[str, object] | None = None) -> Index:
    """Return an index of an owner's runs by their instants."""
    return Index(name, ("tenant", *owner, "-scheduled_for", "-id"), only)


def _due(member: str) -> Index:
    """Return an index of the runs of all tenants that come due by a member."""
    return Index(member, (member, "id", "tenant"), _has(member))


_OF_RUNS = (
    # Lists.
    _dated("by_state", "state"),
    _dated("by_schedule", "schedule"),
    _dated("by_parent", "parent", only={"parent": {"$gt": ""}}),
    _dated("by_worker", "worker", only={"worker": {"$gt": ""}}),
    _dated("by_group", "grouped", only={"grouped": {"$gt": ""}}),
    _dated("by_origin", "made_by", only={"made_by": {"$gt": ""}}),
    Index("shown", ("tenant", "schedule", "-shown_for", "-id"), _has("shown_for")),
    Index(
        "executed",
        ("tenant", "schedule", "-executed_for", "-id"),
        _has("executed_for"),
    ),
    # What waits, and what is in workers' hands.
    Index(
        "pending",
        ("tenant", "schedule", "admitted", "untried", "due_at", "id"),
        _has("untried"),
    ),
    Index("pending_in_queue", ("tenant", "queue", "due_at"), _PENDING),
    Index(
        "open",
        (
            *("tenant", "open_lane", "catch_up", "-priority", "turn", "due_at", "id"),
            "available_at",
        ),
        {"open_lane": {"$gt": ""}},
    ),
    Index("ready", ("tenant", "ready_at", "admitted"), _has("ready_at")),
    Index("held", ("tenant", "holder", "catch_up"), _HELD),
    Index("held_of_schedule", ("tenant", "schedule", "origin"), _HELD),
    Index("yields", ("tenant", "yields"), _has("yields")),
    # What time brings.
    *map(_due, ("ready_at", "confirm_by", "lease_ends")),
    *map(_due, ("decide_at", "start_by", "pulse_at")),
    # What goes.
    Index(ENDED_AT, ("tenant", "schedule", ENDED_AT, "id"), _has(ENDED_AT)),
    Index(
        HOOK_ENDED_AT,
        ("tenant", "schedule", HOOK_ENDED_AT, "id"),
        _has(HOOK_ENDED_AT),
    ),
    _dated("withdrawn", "schedule", only={"state": "withdrawn"}),
)

_OWN: Mapping[str, Sequence[Index]] = {
    kinds.HEADS: (
        Index("open", ("open",), _has("open")),
        Index("purging", ("numbers.purging",), _has("numbers.purging")),
    ),
    kinds.INTENTS: (Index("by_commit", ("tenant", "commit", "number")),),
    kinds.KEYS: (
        Index("by_digest", ("digest",)),
        Index("by_creation", ("tenant", "created_at", "id")),
        Index("by_worker", ("tenant", "worker"), {"worker": {"$gt": ""}}),
    ),
    kinds.DEFINITIONS: (Index("by_schedule", ("tenant", "schedule")),),
    kinds.FAULTS: (
        Index("by_run", ("tenant", "of_run")),
        Index("newest", ("tenant", "schedule", "-at", "-of_run", "-number")),
    ),
    kinds.FOLLOW_UPS: (
        Index("by_age", ("at", "run", "attempt", "kind", "number")),
        Index("by_run", ("tenant", "run")),
    ),
    kinds.SCHEDULES: (
        Index("by_id", ("tenant", "id")),
        Index("used", ("id", "tenant")),
        *(
            Index(f"by_{member}", ("tenant", member, "id"), {"there": True})
            for member in ("name", "next_at", "created_at")
        ),
        # What is asked for by the group alone is counted without a document.
        Index("by_group", ("tenant", "group", "held", "id"), {"group": {"$gt": ""}}),
        Index("by_profile", ("tenant", "profile"), {"profile": {"$gt": ""}}),
        Index("due", ("due_at", "id", "tenant"), _has("due_at")),
    ),
    kinds.VERSIONS: (Index("newest", ("tenant", "schedule", "-number")),),
    kinds.RUNS: _OF_RUNS,
    kinds.EVENTS: (
        Index("by_sequence", ("tenant", "sequence")),
        Index("by_age", ("at",)),
    ),
    kinds.WORKERS: (
        Index("by_name", ("tenant", "name", "id")),
        Index("by_queue", ("tenant", "queues")),
        Index("unseen", ("seen_at", "id"), {"lost": False}),
    ),
    kinds.SESSIONS: (Index("by_worker", ("tenant", "worker")),),
    kinds.TENANTS: (
        Index("by_name", ("name",)),
        Index("held", ("held", "name"), {"held": True}),
    ),
    kinds.GROUPS: (
        Index("by_name", ("tenant", "name")),
        Index("by_profile", ("tenant", "profile"), {"profile": {"$gt": ""}}),
        Index("uncarried", ("tenant", "name"), {"carried": False}),
    ),
    kinds.PROFILES: (Index("by_name", ("tenant", "name")),),
    kinds.WEBHOOKS: (
        Index("by_name", ("tenant", "name")),
        Index("active", ("tenant", "name"), {"paused": False}),
    ),
    kinds.DELIVERIES: (
        Index("by_event", ("hook", "-event.sequence")),
        Index("due", ("hook", "due", "event.sequence"), _has("due")),
        Index("by_webhook", ("tenant", "webhook")),
        Index("ended", ("finished_at",)),
    ),
    kinds.OUTPUTS: (Index("by_run", ("tenant", "run")),),
    kinds.PIECES: (Index("by_run", ("tenant", "run", "token", "sequence")),),
    kinds.ANSWERS: (Index("by_age", ("claimed_at",)),),
}

#: All indexes, by collection.
INDEXES: Mapping[str, Sequence[Index]] = {
    kind: (
        *_OWN.get(kind, ()),
        *((_TOMBSTONES,) if kind in kinds.COMMITTED else ()),
    )
    for kind in dict.fromkeys((*_OWN, *kinds.COMMITTED))
}
