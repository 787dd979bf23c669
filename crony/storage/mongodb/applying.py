"""The writes of a commit come into their places.

It is done once or many times, by whoever finds it undone, also long afterwards and
while later commits are applied, and comes to the same: each write counts only
where the document was written by no later commit. What is deleted leaves a
tombstone for a day, which the late insert of an earlier commit finds in its place.
Nobody is later than that: who was held up for long writes nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import cast

from pymongo import ReplaceOne, UpdateMany, UpdateOne

from crony.clock import boottime
from crony.storage.documents import Document
from crony.storage.mongodb import faults
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.work import BY_KEY, GONE

_Write = ReplaceOne[Document] | UpdateOne | UpdateMany


#: After so long an applier stops, long before a tombstone goes.
_LATE = timedelta(hours=1)


def apply(
    database: Database,
    tenant: str,
    writes: Sequence[Document],
    *,
    seq: int,
    began: timedelta,
) -> None:
    """Make the writes of a commit, which was the newest when this began."""
    for part in writes:
        kind = cast("str", part["kind"])
        changes = [*_sweeps(part, tenant, seq), *_changes(part, tenant, seq)]
        new = [*_documents(part, "insert"), *_documents(part, "replace")]
        if boottime() - began > _LATE:
            raise faults.unavailable("this process was held up for long")
        if changes:
            with faults.translated():
                database.in_order(kind).bulk_write(changes, ordered=False)
        if new:
            database.insert(kind, new)


def _sweeps(part: Document, tenant: str, seq: int) -> Iterator[_Write]:
    """Meet the updates by which many documents go."""
    for where in [*_documents(part, "sweep"), *([{}] if part.get("clear") else [])]:
        older = {"tenant": tenant, GONE: {"$exists": False}, "seq": {"$lt": seq}}
        yield UpdateMany({**where, **older}, _tombstone(tenant, seq))


def _changes(part: Document, tenant: str, seq: int) -> Iterator[_Write]:
    """Meet the updates of single documents."""
    for document in _documents(part, "replace"):
        yield ReplaceOne(_older(tenant, document["_id"], seq), document, hint=BY_KEY)
    for change in _documents(part, "change"):
        update: Document = {"$set": change["set"]}
        if dropped := cast("list[str]", change["unset"]):
            update["$unset"] = dict.fromkeys(dropped, "")
        yield UpdateOne(_older(tenant, change["_id"], seq), update, hint=BY_KEY)
    for id in cast("list[str]", part.get("delete", ())):
        yield UpdateOne(_older(tenant, id, seq), _tombstone(tenant, seq), hint=BY_KEY)


def _documents(part: Document, name: str) -> Sequence[Document]:
    return cast("Sequence[Document]", part.get(name, ()))


def _older(tenant: str, id: object, seq: int) -> Document:
    """Return what a document says that no commit from this one on has written."""
    return {"tenant": tenant, "_id": id, "seq": {"$lt": seq}}


def _tombstone(tenant: str, seq: int) -> list[Document]:
    """Return the update by which a document leaves only its tombstone."""
    stone = {"_id": "$_id", "tenant": tenant, "seq": seq, GONE: "$$NOW"}
    return [{"$replaceWith": stone}]
