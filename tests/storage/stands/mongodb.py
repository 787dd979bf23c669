"""MongoDB: a server by itself, and a replica set with one member."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
from bson import MinKey
from pymongo import collection

from crony.storage import open_store
from crony.testing.servers.mongodb import MongoDb, MongoDbSet
from tests.storage.stands.stand import Stand

_Document = dict[str, Any]

#: All documents, by collection.
Contents = dict[str, list[_Document]]

#: All documents of one, by an index.
_ANY = {"_id": {"$gte": MinKey()}}


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

    def _collections(self) -> list[collection.Collection[_Document]]:
        assert self._client is not None
        # Nothing here has to outlive the server.
        database = self._client.get_default_database(
            write_concern=pymongo.WriteConcern(w=1, j=False)
        )
        # What is capped is news, which nobody hears of afterwards.
        names = database.list_collection_names(
            filter={"options.capped": {"$exists": False}}
        )
        return [database[name] for name in names]

    def contents(self) -> Contents:
        """Return all that is there."""
        return {each.name: list(each.find(_ANY)) for each in self._collections()}

    def restore(self, contents: Contents) -> None:
        """Put what was there in the place of what is."""
        for each in self._collections():
            each.delete_many(_ANY)
            if documents := contents.get(each.name):
                each.insert_many(documents)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._servers is not None:
            self._servers.kill()


class MongoDbSetStand(MongoDbStand):
    """With a log of its operations, as a store of several machines has."""

    name = "mongodb-replica-set"

    def start(self) -> MongoDb | MongoDbSet:
        return MongoDbSet(self.directory / "servers", members=1).start()
