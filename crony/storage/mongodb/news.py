"""News that reach whoever listens: documents of a small collection that is tailed."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pymongo
from pymongo import CursorType
from pymongo.errors import CollectionInvalid, OperationFailure

from crony.storage.documents import Document
from crony.storage.mongodb import faults
from crony.storage.mongodb.database import IN_ORDER, Database
from crony.storage.mongodb.faults import translated

NEWS = "news"

#: What the server says of a collection that is there.
_EXISTS = 48

#: Old news go when so much is there.
_SIZE = 1 << 20

#: How long the server waits for news before it says that there are none.
_PATIENCE = 500


def create(database: Database) -> None:
    """Make the collection, with a first document: an empty one can't be tailed.

    Of several nodes that make it at once, one does.
    """
    with translated():
        try:
            database.database.create_collection(NEWS, capped=True, size=_SIZE)
        except CollectionInvalid:
            pass
        except OperationFailure as exc:
            if exc.code != _EXISTS:
                raise
        if database.documents(NEWS).find_one({}, {"_id": 1}) is not None:
            return
    tell(database, b"")


def tell(database: Database, news: bytes) -> None:
    """Carry news to all that listen now."""
    with translated():
        told = database.database.get_collection(NEWS, write_concern=IN_ORDER)
        told.insert_one({"news": news})


def listen(
    database: Database, hear: Callable[[bytes], None], *, until: Callable[[], bool]
) -> None:
    """Call ``hear`` with what is told from now on."""
    documents = database.documents(NEWS)
    with translated():
        known = {each["_id"] for each in documents.find({}, {"_id": 1})}
        cursor = documents.find(cursor_type=CursorType.TAILABLE_AWAIT)
        cursor.max_await_time_ms(_PATIENCE)
    with cursor:
        while not until():
            found = _next(cursor)
            if found is not None and found["_id"] not in known:
                hear(cast("bytes", found["news"]))


def _next(cursor: pymongo.cursor.Cursor[Document]) -> Document | None:
    """Return the next news; ``None`` when none came for a while."""
    with translated():
        found = next(cursor, None)
    if found is None and not cursor.alive:
        raise faults.unavailable("the store told news faster than they were heard")
    return found
