"""The schema: its version, and the collections with their indexes."""

from __future__ import annotations

from typing import cast

from pymongo import IndexModel

from crony import errors
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, news
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.indexes import INDEXES, Index

#: This release's schema, and the oldest one whose nodes may work on it.
VERSION = 1
FLOOR = 1

_ID = "crony"


def migrate(database: Database) -> None:
    """Bring the schema to this release's, unless a newer one lets it be."""
    found = _stored(database)
    if found is not None:
        _check_floor(found)
        if cast("int", found["version"]) > VERSION:
            return
    for kind, indexes in INDEXES.items():
        models = [IndexModel(index.keys, **index.options) for index in indexes]
        with translated():
            database.documents(kind).create_indexes(models)
    news.create(database)
    with translated():
        # Of two that migrate at once, a newer one has the last word.
        database.documents(kinds.SCHEMA).update_one(
            {"_id": _ID},
            {"$max": {"version": VERSION, "floor": FLOOR}},
            upsert=True,
        )


def require(database: Database) -> None:
    """Raise ``StoreUnusable`` unless nodes of this release may work on the schema."""
    found = _stored(database)
    version = None if found is None else cast("int", found["version"])
    if found is None or version is None or version < VERSION:
        raise errors.StoreUnusable(
            f"the store has schema {version or 'none'}, and this release needs "
            f"{VERSION}; starting the service brings it there"
        )
    _check_floor(found)
    if version == VERSION:
        for kind, indexes in INDEXES.items():
            _require_indexes(database, kind, {index.name: index for index in indexes})


def _stored(database: Database) -> Document | None:
    with translated():
        return database.documents(kinds.SCHEMA).find_one({"_id": _ID})


def _check_floor(found: Document) -> None:
    floor = cast("int", found["floor"])
    if floor > VERSION:
        raise errors.StoreUnusable(
            f"the store has schema {found['version']}, and this release knows up to "
            f"{VERSION}; it needs a release of schema {floor} or newer"
        )


def _require_indexes(database: Database, kind: str, indexes: dict[str, Index]) -> None:
    with translated():
        stored = database.documents(kind).index_information()
    for name, index in indexes.items():
        found = stored.get(name)
        if found is None or list(found["key"]) != list(index.keys):
            raise errors.StoreUnusable(
                f"the store lacks the index {name} of {kind}; starting the service "
                "makes it"
            )
