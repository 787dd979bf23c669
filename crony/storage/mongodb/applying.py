"""The writes of a commit come into their places.

It is done once or many times, by whoever finds it undone, also long afterwards and
while later commits are applied, and comes to the same: each write counts only
where the document was written by no later commit. What is deleted leaves a
tombstone for a day, which the late insert of an earlier commit finds in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pymongo import ReplaceOne, UpdateMany, UpdateOne

from crony.storage.documents import Document
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.work import GONE

_Write = ReplaceOne[Document] | UpdateOne | UpdateMany


def apply(
    database: Database, tenant: str, writes: Sequence[Document], *, seq: int
) -> None:
    """Make the writes of a commit."""
    for part in writes:
        kind = cast("str", part["kind"])
        changes: list[_Write] = []
        swept = [*_documents(part, "sweep"), *([{}] if part.get("clear") else [])]
        for where in swept:
            older = {"tenant": tenant, GONE: {"$exists": False}, "seq": {"$lt": seq}}
            changes.append(UpdateMany({**where, **older}, _tombstone(tenant, seq)))
        changes += [
            ReplaceOne(_older(tenant, document["_id"], seq), document)
            for document in _documents(part, "replace")
        ]
        for change in _documents(part, "change"):
            update: Document = {"$set": change["set"]}
            if dropped := cast("list[str]", change["unset"]):
                update["$unset"] = dict.fromkeys(dropped, "")
            changes.append(UpdateOne(_older(tenant, change["_id"], seq), update))
        changes += [
            UpdateOne(_older(tenant, id, seq), _tombstone(tenant, seq))
            for id in cast("list[str]", part.get("delete", ()))
        ]
        if changes:
            with translated():
                database.in_order(kind).bulk_write(changes, ordered=False)
        new = [*_documents(part, "insert"), *_documents(part, "replace")]
        if new:
            database.insert(kind, new)


def _documents(part: Document, name: str) -> Sequence[Document]:
    return cast("Sequence[Document]", part.get(name, ()))


def _older(tenant: str, id: object, seq: int) -> Document:
    """Return what a document says that no commit from this one on has written."""
    return {"tenant": tenant, "_id": id, "seq": {"$lt": seq}}


def _tombstone(tenant: str, seq: int) -> list[Document]:
    """Return the update by which a document leaves only its tombstone."""
    stone = {"_id": "$_id", "tenant": tenant, "seq": seq, GONE: "$$NOW"}
    return [{"$replaceWith": stone}]
