"""What a tenant that went has left behind is removed, piece by piece.

It may be more than one commit can take along, and nothing shows it any more.
"""

from __future__ import annotations

from typing import cast

from crony.storage.mongodb import kinds
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.work import GONE, LAST_LIFE, Work, key

#: There for as long as something may be left.
PURGING = "purging"

#: So many documents are removed at once, so that none has to wait for it.
_PIECE = 1000

#: So many tenants are looked for at once.
_TENANTS = 100


def begin(work: Work) -> None:
    """Let the tenant's history be of a former life from this commit on."""
    seq = work.next_head().seq
    work.keep(LAST_LIFE, seq)
    work.keep(PURGING, seq)


def all_tenants(engine: Engine, *, limit: int) -> None:
    """Remove some of what any tenants have left."""
    heads = engine.database.find(
        kinds.HEADS,
        {f"numbers.{PURGING}": {"$exists": True}},
        limit=_TENANTS,
        fields=["_id"],
    )
    for head in heads:
        limit -= purge(engine, cast("str", head["_id"]), limit=limit)


def purge(engine: Engine, tenant: str, *, limit: int) -> int:
    """Remove at most so many documents of a tenant's former life."""
    removed = 0
    last_life = engine.glance(tenant).number(LAST_LIFE)
    for kind in sorted(kinds.HISTORY):
        while removed < limit:
            most = min(_PIECE, limit - removed)
            count = _remove(engine, kind, tenant, last_life, most=most)
            removed += count
            if count < most:
                break
    if removed < limit:
        engine.verb(tenant, lambda work: _end(work, last_life))
    return removed


def _remove(
    engine: Engine, kind: str, tenant: str, last_life: int, *, most: int
) -> int:
    # NOTE: by themselves: what is written late is of the former life as well.
    old = {"seq": {"$lte": last_life}, GONE: {"$exists": False}}
    of = {"_id": {"$gt": key(tenant, ""), "$lt": f"{tenant}0"}}
    found = engine.database.find(
        kind, {**of, **old}, sort=[("_id", 1)], limit=most, fields=["_id"]
    )
    if not found:
        return 0
    ids = {"_id": {"$in": [document["_id"] for document in found]}}
    with translated():
        return engine.database.in_order(kind).delete_many({**ids, **old}).deleted_count


def _end(work: Work, last_life: int) -> None:
    if work.maybe_number(PURGING) == last_life:
        work.keep(PURGING, None)
