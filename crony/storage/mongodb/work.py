"""What one verb reads and writes of one tenant.

Documents are read as they stand after one commit, and changed here only; what has
been changed is seen by all that is asked afterwards. ``commit`` makes it one step.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from crony.storage.documents import Document
from crony.storage.mongodb import kinds
from crony.storage.mongodb.matching import Filter, Sort, matches, ordered

#: The index by ``_id``. PERF: named wherever it is meant, or the server tries all
#: those that begin with the tenant as well, each time.
BY_KEY = "_id_"

#: A member that says: this was deleted, and its id is kept for a while.
GONE = "gone"

#: The number of the commit by which a former tenant of the name went.
LAST_LIFE = "last_life"


class Reader(Protocol):
    """Where documents are read."""

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

    def nth(self, kind: str, where: Filter, sort: Sort, skip: int) -> Document | None:
        """Return the document after so many that say this."""

    def count(self, kind: str, where: Filter) -> int:
        """Return how many say this."""

    def count_each(
        self, kind: str, by: str, keys: Sequence[str], where: Filter
    ) -> dict[str, int]:
        """Return how many say this, for each key that is a member of any."""

    def distinct(self, kind: str, member: str, where: Filter) -> list[str]:
        """Return the values of a member, each once."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a tenant's head says between two commits.

    ``seq`` counts commits. ``numbers`` are small numbers by name: how many there are
    of what must never be counted, limits, and the sequence of the newest event.
    """

    seq: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Shelf:
    """The documents of one kind that were met, by id; ``None``: there is none."""

    read: dict[str, Document | None] = field(default_factory=dict)
    now: dict[str, Document | None] = field(default_factory=dict)
    #: Ids whose tombstones were met.
    gone: set[str] = field(default_factory=set)
    cleared: bool = False
    #: What those say that are removed without being read.
    swept: list[Filter] = field(default_factory=list)


class Work:
    """A verb's view of a tenant; documents that it hands out are not to be changed."""

    def __init__(self, reader: Reader, tenant: str, head: Head) -> None:
        self.tenant = tenant
        self.head = head
        self._reader = reader
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)
        self._numbers = dict(head.numbers)

    def get(self, kind: str, id: str) -> Document | None:
        """Return the document of that id."""
        return self.get_all(kind, [id]).get(id)

    def get_all(self, kind: str, ids: Iterable[str]) -> dict[str, Document]:
        """Return the documents of these ids, as far as they are there."""
        shelf = self._shelves[kind]
        wanted = list(dict.fromkeys(ids))
        unread = [id for id in wanted if id not in shelf.read and id not in shelf.now]
        if unread and not shelf.cleared:
            keys = [key(self.tenant, id) for id in unread]
            where = {**self._mine(kind), "_id": {"$in": keys}}
            found = self._reader.find(kind, where, index=BY_KEY)
            shelf.read.update(dict.fromkeys(unread))
            for document in found:
                self._shelve(shelf, document)
        stand = {id: self._now(shelf, id) for id in wanted}
        return {id: document for id, document in stand.items() if document is not None}

    def _mine(self, kind: str) -> Document:
        """Match what is this tenant's, and of no former one of its name."""
        if not self._is_reborn(kind):
            return {"tenant": self.tenant}
        return {"tenant": self.tenant, "seq": {"$gt": self.head.numbers[LAST_LIFE]}}

    def _is_reborn(self, kind: str) -> bool:
        """Whether documents of a former tenant of this name may be there still."""
        return kind in kinds.HISTORY and LAST_LIFE in self.head.numbers

    def _shelve(self, shelf: _Shelf, document: Document) -> Document | None:
        """Keep what was read; return it as it was read first, unless it is gone."""
        id = id_of(document)
        if GONE in document:
            shelf.gone.add(id)
            return None
        known = shelf.read.get(id)
        if known is None:
            shelf.read[id] = known = document
        return known

    def _now(self, shelf: _Shelf, id: str) -> Document | None:
        return shelf.now[id] if id in shelf.now else shelf.read.get(id)

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
        """Return the tenant's documents that say this.

        ``fields`` reads only some members, those asked and sorted for among them.
        """
        shelf = self._shelves[kind]
        found: list[Document] = []
        if not shelf.cleared:
            found = self._reader.find(
                kind,
                {**self._mine(kind), **where},
                sort=sort,
                limit=None if limit is None else limit + len(shelf.now),
                fields=fields,
                index=index,
            )
        if fields is None:
            found = self._met(shelf, found)
        mine = [d for d in shelf.now.values() if d is not None and matches(d, where)]
        return _merged(shelf, found, mine, sort=sort, limit=limit)

    def _met(self, shelf: _Shelf, found: Iterable[Document]) -> list[Document]:
        met = (self._shelve(shelf, document) for document in found)
        return [document for document in met if document is not None]

    def find_each(
        self,
        kind: str,
        by: str,
        keys: Collection[str],
        where: Filter,
        *,
        sort: Sort,
        limit: int,
        fields: Collection[str] | None = None,
        index: str | None = None,
    ) -> dict[str, list[Document]]:
        """Return, for each key, the first documents whose member ``by`` it is."""
        if not keys:
            return {}
        shelf = self._shelves[kind]
        # So many of what the server finds may be other ones here.
        other = Counter(
            before.get(by)
            for id in shelf.now
            if (before := shelf.read.get(id)) is not None
        )
        found = self._reader.find_each(
            kind,
            by,
            sorted(keys),
            {**self._mine(kind), **where},
            sort=sort,
            limit=limit + max(other.values(), default=0),
            fields=fields,
            index=index,
        )
        mine: defaultdict[object, list[Document]] = defaultdict(list)
        for document in shelf.now.values():
            if document is not None and matches(document, where):
                mine[document.get(by)].append(document)
        result = {}
        for k in keys:
            first = found.get(k, [])
            if fields is None:
                first = self._met(shelf, first)
            result[k] = _merged(shelf, first, mine[k], sort=sort, limit=limit)
        return result

    def nth(
        self, kind: str, where: Filter, *, sort: Sort, skip: int
    ) -> Document | None:
        """Return the document after so many, as they stood before the verb."""
        return self._reader.nth(kind, {**self._mine(kind), **where}, sort, skip)

    def count(self, kind: str, where: Filter) -> int:
        """Return how many of the tenant's documents say this."""
        shelf = self._shelves[kind]
        now = shelf.now.values()
        mine = sum(d is not None and matches(d, where) for d in now)
        if shelf.cleared:
            return mine
        before = (shelf.read.get(id) for id in shelf.now)
        were = sum(d is not None and matches(d, where) for d in before)
        return self._reader.count(kind, {**self._mine(kind), **where}) - were + mine

    def count_each(self, kind: str, by: str, keys: Sequence[str]) -> dict[str, int]:
        """Return, for each key, how many documents' member ``by`` it is, as they stood
        before the verb."""
        found = self._reader.count_each(kind, by, keys, self._mine(kind))
        return {key: found.get(key, 0) for key in keys}

    def distinct(self, kind: str, member: str, where: Filter) -> list[str]:
        """Return the values of a member, each once, as they stood before the verb."""
        return self._reader.distinct(kind, member, {**self._mine(kind), **where})

    def put(self, kind: str, id: str, document: Document) -> Document:
        """Keep a document, new or in the place of that of the id; return it.

        What was there must have been read by id before.
        """
        shelf = self._shelves[kind]
        kept = {
            **document,
            "_id": key(self.tenant, id),
            "tenant": self.tenant,
            "seq": self.head.seq + 1,
        }
        if id not in shelf.read and not shelf.cleared:
            raise AssertionError(f"{kind} {id} is put and was not looked for")
        shelf.now[id] = kept
        return kept

    def insert(self, kind: str, id: str, document: Document) -> Document:
        """Keep a document under an id that nothing ever had; return it."""
        self._shelves[kind].read[id] = None
        return self.put(kind, id, document)

    def delete(self, kind: str, id: str) -> None:
        """Remove the document of an id that was read before."""
        self._shelves[kind].now[id] = None

    def clear(self, kind: str) -> None:
        """Remove all of the tenant's documents of a kind."""
        self._shelves[kind] = _Shelf(cleared=True)

    def sweep(self, kind: str, where: Filter) -> None:
        """Remove the tenant's documents that say this, however many there are.

        What is asked of the kind afterwards, in the same verb, does not know of it.
        """
        self._shelves[kind].swept.append(where)

    def number(self, name: str) -> int:
        """Return a number of the tenant; 0 where nothing else was said."""
        return self._numbers.get(name, 0)

    def maybe_number(self, name: str) -> int | None:
        """Return a number of the tenant that may be absent."""
        return self._numbers.get(name)

    def numbers(self, prefix: str) -> dict[str, int]:
        """Return the numbers whose names begin so, by the rest of their names."""
        return {
            name.removeprefix(prefix): number
            for name, number in self._numbers.items()
            if name.startswith(prefix)
        }

    def number_before(self, name: str) -> int:
        """Return a number as it was before the verb."""
        return self.head.numbers.get(name, 0)

    def add(self, name: str, number: int) -> None:
        """Count up or down; what comes to 0 is left out."""
        self.keep(name, self.number(name) + number or None)

    def keep(self, name: str, number: int | None) -> None:
        """Give a number another value, or none."""
        if number is None:
            self._numbers.pop(name, None)
        else:
            self._numbers[name] = number

    def next_head(self) -> Head:
        """Return the head after this."""
        return Head(self.head.seq + 1, self._numbers)

    def writes(self) -> list[Document]:
        """Return what is to be written, one document for each kind of document.

        ``insert`` has documents that were not there, ``replace`` such as may have a
        tombstone, ``change`` the members that are other ones, by id, and ``delete``
        ids. ``clear``, and ``sweep`` with what documents say, come before them.
        """
        parts = []
        for kind, shelf in self._shelves.items():
            part = _part(shelf, self.tenant, reborn=self._is_reborn(kind))
            if part:
                parts.append({"kind": kind, **part})
        return parts


def _merged(
    shelf: _Shelf,
    found: Sequence[Document],
    mine: Sequence[Document],
    *,
    sort: Sort,
    limit: int | None,
) -> list[Document]:
    """Put what was changed here in the place of what was read."""
    result = [document for document in found if id_of(document) not in shelf.now]
    if mine:
        result = ordered([*result, *mine], sort)
    return result if limit is None else result[:limit]


def _part(shelf: _Shelf, tenant: str, *, reborn: bool) -> Document:
    """Return what is to be written of one kind; ``reborn``: what is new here may have
    been there before, since what moves in again has the ids that it had."""
    part: defaultdict[str, list[object]] = defaultdict(list)
    for id, now in shelf.now.items():
        before = shelf.read.get(id)
        if now is None and before is not None:
            part["delete"].append(key(tenant, id))
        elif now is not None and before is None:
            known = reborn or shelf.cleared or id in shelf.gone
            part["replace" if known else "insert"].append(now)
        elif now is not None and before is not None:
            change = _difference(before, now)
            if change is not None:
                part["change"].append(change)
    whole: Document = {"clear": True} if shelf.cleared else {}
    if shelf.swept:
        whole["sweep"] = shelf.swept
    return {**whole, **part}


def _difference(before: Document, now: Document) -> Document | None:
    """Return which members are other ones, and which are there no more."""
    given = {
        name: value
        for name, value in now.items()
        if name != "seq" and (name not in before or before[name] != value)
    }
    dropped = [name for name in before if name not in now]
    if not given and not dropped:
        return None
    return {"_id": now["_id"], "set": {**given, "seq": now["seq"]}, "unset": dropped}


def key(tenant: str, id: str) -> str:
    """Return what a document is known by: no tenant's name has a slash."""
    return f"{tenant}/{id}"


def id_of(document: Document) -> str:
    """Return the id of a document within its tenant."""
    return cast("str", document["_id"]).partition("/")[2]
