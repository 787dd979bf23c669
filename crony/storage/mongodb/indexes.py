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
    kinds.FAULTS: (Index("by_run", ("tenant", "of_run")),),
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
    kinds.TENANTS: (Index("by_name", ("name",)),),
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
