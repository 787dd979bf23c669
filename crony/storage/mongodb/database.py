"""The client of one process, and what it reads."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pymongo
from pymongo import ReadPreference, WriteConcern, collection, database
from pymongo.read_concern import ReadConcern

from crony import errors
from crony.storage.documents import Document
from crony.storage.mongodb import faults
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.matching import Filter, Sort

#: Where the URL names no database.
_DATABASE = "crony"

#: What holds unless the URL says otherwise; times are milliseconds. There is no
#: ``timeoutMS``: with it the client waits as long for a server that is gone as for an
#: answer. So an operation ends within twice the first two: it is tried again once.
_OPTIONS: Mapping[str, Any] = {
    # A request does not wait for an election: it is told when to come back.
    "serverSelectionTimeoutMS": 3_000,
    "socketTimeoutMS": 10_000,
    # A server that stands still is found out within both together, and what waits for
    # it ends then.
    "connectTimeoutMS": 3_000,
    "heartbeatFrequencyMS": 2_000,
    "waitQueueTimeoutMS": 8_000,
    "maxPoolSize": 64,
    "maxIdleTimeMS": 300_000,
    "appname": "crony",
}

#: What was acknowledged so survives the loss of power and of a minority.
DURABLE = WriteConcern(w="majority", j=True)
#: Durable with the next write that is: both are in one journal, in this order.
IN_ORDER = WriteConcern(w=1, j=False)

#: Documents of a sharded cluster are in journals of several servers.
_ROUTER = "isdbgrid"

#: For so many keys it is asked one by one.
_FEW = 3

#: A list of documents comes in pieces of so many.
_BATCH = 1000

Documents = collection.Collection[Document]


class Database:
    """One database; its connections are made when it is opened."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._client: pymongo.MongoClient[Document] | None = None
        self._database: database.Database[Document] | None = None
        self.hello: Mapping[str, object] = {}

    def connect(self) -> None:
        """Begin to hand out connections; a fork must come before."""
        with translated(), self._lock:
            given = {name.lower() for name, _ in parse_qsl(urlsplit(self._url).query)}
            options = {k: v for k, v in _OPTIONS.items() if k.lower() not in given}
            try:
                client = pymongo.MongoClient[Document](self._url, **options)
            except ValueError:
                # A port that is none, and the like.
                raise errors.StoreUnusable("the store's URL can't be used") from None
            try:
                self.hello = client.admin.command("hello")
            except BaseException:
                client.close()
                raise
            self._client = client
            self._database = client.get_default_database(
                _DATABASE,
                read_preference=ReadPreference.PRIMARY,
                read_concern=ReadConcern("local"),
                write_concern=DURABLE,
            )

    def close(self) -> None:
        """Give all connections back."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = self._database = None

    @property
    def client(self) -> pymongo.MongoClient[Document]:
        """The client, while it is open."""
        client = self._client
        if client is None:
            raise faults.closed()
        return client

    @property
    def database(self) -> database.Database[Document]:
        """The database itself, while it is open."""
        found = self._database
        if found is None:
            raise faults.closed()
        return found

    def documents(self, kind: str) -> Documents:
        """Return the collection of a kind; what is written to it is durable."""
        return self.database[kind]

    def in_order(self, kind: str) -> Documents:
        """Return the collection of a kind, for writes that the next durable one
        makes durable."""
        concern = DURABLE if self.sharded else IN_ORDER
        return self.database.get_collection(kind, write_concern=concern)

    @property
    def sharded(self) -> bool:
        """Whether this is a cluster of shards."""
        return self.hello.get("msg") == _ROUTER

    @property
    def replicated(self) -> bool:
        """Whether this is a replica set, or a cluster, which is made of those."""
        return "setName" in self.hello or self.sharded

    def find(
        self,
        kind: str,
        where: Filter,
        *,
        sort: Sort = (),
        limit: int | None = None,
        fields: Collection[str] | None = None,
        index: str | None = None,
    ) -> list[Document]:
        """Return documents that say this, found by an index of that name."""
        if limit == 0:
            return []
        with translated():
            found = self.documents(kind).find(
                where,
                projection=None if fields is None else dict.fromkeys(fields, 1),
                sort=list(sort) or None,
                limit=limit or 0,
                batch_size=_BATCH,
                hint=index,
            )
            return list(found)

    def find_each(
        self,
        kind: str,
        by: str,
        keys: Sequence[str],
        where: Filter,
        *,
        sort: Sort,
        limit: int,
        fields: Collection[str] | None = None,
        index: str | None = None,
    ) -> dict[str, list[Document]]:
        """Return, for each key, the first documents whose member ``by`` it is."""
        if len(keys) <= _FEW:
            # NOTE: only so can the index be named.
            return {
                key: self.find(
                    kind,
                    {**where, by: key},
                    sort=sort,
                    limit=limit,
                    fields=fields,
                    index=index,
                )
                for key in keys
            }
        shown = [] if fields is None else [{"$project": dict.fromkeys(fields, 1)}]
        steps: list[Document] = [
            {"$documents": [{"key": key} for key in keys]},
            {
                "$lookup": {
                    "from": kind,
                    "localField": "key",
                    "foreignField": by,
                    "as": "found",
                    "pipeline": [
                        {"$match": where},
                        {"$sort": dict(sort)},
                        {"$limit": limit},
                        *shown,
                    ],
                }
            },
        ]
        with translated():
            rows = list(self.database.aggregate(steps))
        return {
            cast("str", row["key"]): cast("list[Document]", row["found"])
            for row in rows
        }

    def nth(self, kind: str, where: Filter, sort: Sort, skip: int) -> Document | None:
        """Return the document after so many that say this."""
        with translated():
            found = self.documents(kind).find(
                where, sort=list(sort), skip=skip, limit=1
            )
            return next(found, None)

    def count(self, kind: str, where: Filter) -> int:
        """Return how many say this."""
        with translated():
            return self.documents(kind).count_documents(where)

    def count_each(
        self, kind: str, by: str, keys: Sequence[str], where: Filter
    ) -> dict[str, int]:
        """Return how many say this, for each key that is a member of any."""
        steps: list[Document] = [
            {"$match": {**where, by: {"$in": list(keys)}}},
            {"$group": {"_id": f"${by}", "count": {"$sum": 1}}},
        ]
        with translated():
            rows = list(self.documents(kind).aggregate(steps))
        return {cast("str", row["_id"]): cast("int", row["count"]) for row in rows}

    def distinct(self, kind: str, member: str, where: Filter) -> list[str]:
        """Return the values of a member, each once."""
        with translated():
            return self.documents(kind).distinct(member, where)

    def insert(self, kind: str, documents: Iterable[Document]) -> None:
        """Add documents; those whose id is there are left as they are."""
        with translated():
            try:
                self.in_order(kind).insert_many(list(documents), ordered=False)
            except pymongo.errors.BulkWriteError as caught:
                if not faults.only_duplicates(caught):
                    raise
