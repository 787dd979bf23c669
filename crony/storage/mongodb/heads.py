"""The head of a tenant: the one document by which its commits follow each other.

::

    {_id: tenant, seq: 41, applied: 41, numbers: {…}}
        │  compare-and-swap on seq and applied: the commit, durable when answered
        ▼
    {_id: tenant, seq: 42, applied: 41, open: true, commit: "…", intent: […], …}
        │  the writes of the intent come into their places
        ▼
    {_id: tenant, seq: 42, applied: 42, numbers: {…}}

``applied`` is written after all that it speaks of, and in the same journal: wherever
it is, those writes are. Where it got lost with a failed primary, or nobody came to
write it, the intent is still there, and is applied again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import cast

import bson
from pymongo.errors import DuplicateKeyError

from crony.clock import boottime
from crony.storage.documents import Document
from crony.storage.mongodb import kinds
from crony.storage.mongodb.applying import apply
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.work import Head, key

#: An intent beyond this has documents of its own: one may have 16 MiB.
_PART_BYTES = 8 << 20

_WITHOUT_INTENT = {"intent": 0}


class Heads:
    """The heads of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, tenant: str) -> Document | None:
        """Return a tenant's head as it is, without its intent."""
        with translated():
            return self._database.documents(kinds.HEADS).find_one(
                {"_id": tenant}, _WITHOUT_INTENT
            )

    def open(self, *, limit: int) -> list[str]:
        """Return tenants whose last commit may not be applied."""
        found = self._database.find(
            kinds.HEADS, {"open": True}, limit=limit, fields=["_id"]
        )
        return [cast("str", head["_id"]) for head in found]

    def stands(self, tenant: str, head: Head) -> bool:
        """Return whether no commit came after this one, which is applied."""
        found = self.read(tenant)
        if found is None:
            return head.seq == 0
        return found["seq"] == found["applied"] == head.seq

    def commit(
        self, tenant: str, head: Head, after: Head, writes: list[Document], *, name: str
    ) -> bool:
        """Put ``after`` in the place of ``head`` and apply the writes.

        Returns whether it counted. ``name`` is no other commit's: an answer that was
        lost is asked for again, and must then be known as that of this commit.
        """
        began = boottime()
        parts = self._spill(tenant, writes, name=name, seq=after.seq)
        given: Document = {
            "seq": after.seq,
            "numbers": dict(after.numbers),
            "open": True,
            "commit": name,
            "intent": [] if parts else writes,
            "parts": parts,
        }
        counted = self._swap(tenant, head, given)
        if counted:
            self._close(tenant, writes, seq=after.seq, name=name, began=began)
        if parts:
            self._sweep(tenant, {"commit": name})
        return counted

    def _swap(self, tenant: str, head: Head, given: Document) -> bool:
        """Write the head, if it is as it was; it is durable then."""
        heads = self._database.documents(kinds.HEADS)
        with translated():
            if head.seq:
                where = {"_id": tenant, "seq": head.seq, "applied": head.seq}
                if heads.update_one(where, {"$set": given}).matched_count == 1:
                    return True
            else:
                try:
                    heads.insert_one({"_id": tenant, "applied": 0, **given})
                    return True
                except DuplicateKeyError:
                    pass
        found = self.read(tenant)
        return (
            found is not None
            and found["commit"] == given["commit"]
            and self._harden(
                tenant, cast("int", given["seq"]), name=cast("str", given["commit"])
            )
        )

    def settle(self, tenant: str) -> None:
        """Apply a tenant's last commit, if nobody has."""
        began = boottime()
        with translated():
            heads = self._database.documents(kinds.HEADS)
            head = heads.find_one({"_id": tenant, "open": True})
        if head is None:
            return
        seq, name = cast("int", head["seq"]), cast("str", head["commit"])
        # Who made it may not have got its answer yet: nothing of it may be seen
        # before it can't be lost.
        if self._harden(tenant, seq, name=name):
            intent = self._intent(tenant, head)
            self._close(tenant, intent, seq=seq, name=name, began=began)
            self._sweep(tenant, {"seq": {"$lte": seq}})

    def _harden(self, tenant: str, seq: int, *, name: str) -> bool:
        """Return once a commit is durable; ``False`` when another came after it.

        Or came in its place: what a primary said that was no more one may be lost, and
        its number then is another commit's.
        """
        with translated():
            heads = self._database.documents(kinds.HEADS)
            found = heads.update_one(
                {"_id": tenant, "seq": seq, "commit": name}, {"$inc": {"settled": 1}}
            )
        return found.matched_count == 1

    def _close(
        self,
        tenant: str,
        writes: Sequence[Document],
        *,
        seq: int,
        name: str,
        began: timedelta,
    ) -> None:
        """Apply a commit that is known to be durable, and say so."""
        apply(self._database, tenant, writes, seq=seq, began=began)
        with translated():
            self._database.in_order(kinds.HEADS).update_one(
                {"_id": tenant, "seq": seq, "commit": name},
                {
                    "$set": {"applied": seq},
                    "$unset": {"open": "", "intent": "", "parts": ""},
                },
            )

    def _intent(self, tenant: str, head: Document) -> list[Document]:
        """Return the writes of a head's commit."""
        if not head.get("parts"):
            return cast("list[Document]", head["intent"])
        where = {"tenant": tenant, "commit": head["commit"]}
        found = self._database.find(kinds.INTENTS, where, sort=[("number", 1)])
        return [
            write for part in found for write in cast("list[Document]", part["writes"])
        ]

    def _spill(
        self, tenant: str, writes: Sequence[Document], *, name: str, seq: int
    ) -> int:
        """Keep an intent that is large in documents of its own; return how many.

        They are durable before the head names them.
        """
        pieces = list(_pieces(writes))
        if len(pieces) <= 1:
            return 0
        with translated():
            # Those of commits that were never made.
            self._sweep(tenant, {"seq": {"$lt": seq}})
            for number, piece in enumerate(pieces):
                self._database.documents(kinds.INTENTS).insert_one(
                    {
                        "_id": key(tenant, f"{name}/{number}"),
                        "tenant": tenant,
                        "commit": name,
                        "seq": seq,
                        "number": number,
                        "writes": piece,
                    }
                )
        return len(pieces)

    def _sweep(self, tenant: str, where: Document) -> None:
        with translated():
            self._database.in_order(kinds.INTENTS).delete_many(
                {"tenant": tenant, **where}
            )


def head_in(document: Document) -> Head:
    """Return what a head says whose commit is applied."""
    numbers = cast("dict[str, int]", document["numbers"])
    return Head(cast("int", document["seq"]), numbers)


def _pieces(writes: Sequence[Document]) -> Iterator[list[Document]]:
    """Meet the writes in pieces that a document can hold."""
    if _size(writes) <= _PART_BYTES:
        yield list(writes)
        return
    piece: list[Document] = []
    size = 0
    for write in writes:
        for name, items in write.items():
            if name == "kind":
                continue
            for item in items if isinstance(items, list) else [items]:
                if size > _PART_BYTES:
                    yield piece
                    piece, size = [], 0
                size += _size([item])
                listed = [item] if isinstance(items, list) else item
                piece.append({"kind": write["kind"], name: listed})
    yield piece


def _size(items: Sequence[object]) -> int:
    return len(bson.encode({"items": items}))
