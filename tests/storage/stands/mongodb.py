"""MongoDB: a server by itself, and a replica set with one member."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
from bson import MinKey
from pymongo import collection, database

from crony.storage import open_store
from crony.testing.servers.mongodb import MongoDb, MongoDbSet
from tests.storage.stands.stand import Stand

_Document = dict[str, Any]

#: All documents, by collection.
Contents = dict[str, list[_Document]]

#: All documents of one, by an index.
_ANY = {"_id": {"$gte": MinKey()}}


def _look(name: str) -> list[_Document]:
    """Return what says that a collection holds something."""
    return [{"$match": _ANY}, {"$limit": 1}, {"$project": {"_id": 0, "full": name}}]


class MongoDbStand(Stand):
    """One database, emptied for each test: to drop and migrate it would take long."""

    name = "mongodb"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._servers: MongoDb | MongoDbSet | None = None
        self._client: pymongo.MongoClient[_Document] | None = None
        #: What a migration leaves.
        self._migrated: Contents = {}

    def start(self) -> MongoDb | MongoDbSet:
        """Start what the store is on."""
        # What would look through a whole collection fails.
        strict = ("notablescan=true",)
        return MongoDb(self.directory / "server", parameters=strict).start()

    def fresh(self) -> str:
        if self._servers is None:
            self._servers = self.start()
        if self._client is None:
            open_store(self._servers.url).migrate()
            self._client = pymongo.MongoClient(self._servers.url)
            self._migrated = self.contents()
        else:
            self.restore(self._migrated)
        return self._servers.url

    def _database(self) -> database.Database[_Document]:
        assert self._client is not None
        # Nothing here has to outlive the server.
        return self._client.get_default_database(
            write_concern=pymongo.WriteConcern(w=1, j=False)
        )

    def _full(self) -> list[collection.Collection[_Document]]:
        """Return the collections that hold something: few, found with one question."""
        base = self._database()
        # What is capped is news, which nobody hears of afterwards.
        first, *others = base.list_collection_names(
            filter={"options.capped": {"$exists": False}}
        )
        looks: list[_Document] = [
            {"$unionWith": {"coll": name, "pipeline": _look(name)}} for name in others
        ]
        found = base[first].aggregate([*_look(first), *looks])
        return [base[each["full"]] for each in found]

    def contents(self) -> Contents:
        """Return all that is there."""
        return {each.name: list(each.find(_ANY)) for each in self._full()}

    def restore(self, contents: Contents) -> None:
        """Put what was there in the place of what is."""
        for each in self._full():
            each.delete_many(_ANY)
        base = self._database()
        for name, documents in contents.items():
            base[name].insert_many(documents)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._servers is not None:
            self._servers.end()


class MongoDbSetStand(MongoDbStand):
    """With a log of its operations, as a store of several machines has."""

    name = "mongodb-replica-set"

    def start(self) -> MongoDb | MongoDbSet:
        return MongoDbSet(self.directory / "servers", members=1).start()
