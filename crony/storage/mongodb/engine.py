"""How verbs are made atomic on a store that knows single documents only.

A verb about a tenant is a function of a ``Work``: it reads, decides, and says what
to write. ``Engine.verb`` makes that one step:

1. It takes the tenant's head (see ``heads``), after a commit that may not be applied
   yet was applied.
2. The function reads documents as they stand after that commit, and fills its work.
3. One compare-and-swap on the head commits all of it. Where another commit came in
   between, nothing has happened, and all begins again.
4. The writes come into their places (see ``applying``).

Killed before 3, nothing has happened; after it, whoever comes next does 4. So the
commits of a tenant follow each other, each sees all before it, and what a document
shows can't be lost any more.

A function may run several times and must not change anything else. What it answers,
and what it raises, counts only while the head still stands: what it read in pieces,
while another commit was applied, is thrown away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from bson import ObjectId

from crony import errors
from crony.storage.documents import Document
from crony.storage.mongodb import faults
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.heads import Heads, head_in
from crony.storage.mongodb.matching import Filter, Sort, matches
from crony.storage.mongodb.work import Head, Work, id_of

_Answer = TypeVar("_Answer")

#: Seconds from try to try, where other processes commit to the same tenant. Half of
#: a wait is for all, the other depends on who waits, so that they do not meet again.
_WAITS = tuple(min(0.001 * 1.4**n, 0.25) for n in range(48))

#: So many times a reading is tried without holding the tenant's verbs up.
_FREE_READINGS = 6

#: Seconds that whoever commits has for applying it, before others do it as well.
_APPLYING = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)

#: Seconds that a verb waits for those before it.
_PATIENCE = 8.0

#: So many unapplied commits are looked for at once by verbs about all tenants.
_OPEN = 100


@dataclass(slots=True)
class _Seat:
    """A tenant in this process: its verbs come one after the other."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    #: The head after this process's last commit, which it has applied; another
    #: process may have gone on, which the next commit finds out.
    head: Head | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the verbs of this process up, which wait for as long as for answers."""
        if not self.lock.acquire(timeout=_PATIENCE):
            raise faults.unavailable(
                "earlier requests of this tenant wait for the store still"
            )
        try:
            yield
        finally:
            self.lock.release()


class Engine:
    """The verbs of one process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._heads = Heads(database)
        self._lock = threading.Lock()
        self._seats: dict[str, _Seat] = {}
        self._name = ""
        self._numbers = count()

    def open(self) -> None:
        """Begin; the name under which this process commits is no other's."""
        self._name = str(ObjectId())
        self._seats = {}

    def verb(self, tenant: str, do: Callable[[Work], _Answer]) -> _Answer:
        """Return what ``do`` answers; what it wrote is durable and in its place."""
        seat = self._seat(tenant)
        with seat.held():
            for wait in _WAITS:
                head, seat.head = seat.head, None
                if head is None:
                    head = self._head(tenant)
                with self._standing(tenant, head) as stands:
                    work = Work(self.database, tenant, head)
                    answer = do(work)
                    writes, after = work.writes(), work.next_head()
                    if not writes and after.numbers == head.numbers:
                        if stands():
                            seat.head = head
                            return answer
                    elif self._commit(work, after, writes):
                        seat.head = after
                        return answer
                self._pause(wait)
        raise faults.unavailable("the store has too many writers of this tenant")

    def read(self, tenant: str, look: Callable[[Work], _Answer]) -> _Answer:
        """Return what ``look`` answers, which read one state and changes nothing."""
        seat = self._seat(tenant)
        for number, wait in enumerate(_WAITS):
            with seat.held() if number >= _FREE_READINGS else nullcontext():
                head = self._head(tenant)
                with self._standing(tenant, head) as stands:
                    answer = look(Work(self.database, tenant, head))
                    if stands():
                        return answer
            self._pause(wait)
        raise faults.unavailable("the store has too many writers of this tenant")

    def glance(self, tenant: str) -> Work:
        """Return what shows the tenant as it is, for one question.

        Of several, the later ones may see more than the first: use ``read``.
        """
        return Work(self.database, tenant, self._head(tenant))

    def everywhere(
        self,
        kind: str,
        where: Filter,
        *,
        sort: Sort = (),
        limit: int | None = None,
        fields: Collection[str] | None = None,
        index: str | None = None,
    ) -> list[Document]:
        """Return documents of all tenants that say this, for a verb about all.

        Each may have changed since: a verb about its tenant looks again.
        """
        self.settle()
        return self.database.find(
            kind, where, sort=sort, limit=limit, fields=fields, index=index
        )

    def anywhere(self, kind: str, where: Filter) -> Document | None:
        """Return the document that says this, whose tenant is not known."""
        for _ in range(_FREE_READINGS):
            found = self.database.find(kind, where, limit=1)
            if not found:
                break
            tenant = str(found[0]["tenant"])
            again = self.glance(tenant).get(kind, id_of(found[0]))
            if again is not None and matches(again, where):
                return again
        self.settle()
        found = self.database.find(kind, where, limit=1)
        return found[0] if found else None

    def settle(self) -> None:
        """Apply what processes that are gone have committed and not applied."""
        for tenant in self._heads.open(limit=_OPEN):
            self._head(tenant)

    def _seat(self, tenant: str) -> _Seat:
        seat = self._seats.get(tenant)
        if seat is None:
            with self._lock:
                seat = self._seats.setdefault(tenant, _Seat())
        return seat

    def _head(self, tenant: str) -> Head:
        """Return a tenant's head; its last commit is applied by then."""
        for wait in (*_APPLYING, None):
            found = self._heads.read(tenant)
            if found is None:
                return Head()
            if found["seq"] == found["applied"]:
                return head_in(found)
            if wait is not None:
                time.sleep(wait)
        for wait in _WAITS:
            self._heads.settle(tenant)
            found = self._heads.read(tenant)
            if found is not None and found["seq"] == found["applied"]:
                return head_in(found)
            self._pause(wait)
        raise faults.unavailable("the store has too many writers of this tenant")

    @contextmanager
    def _standing(self, tenant: str, head: Head) -> Iterator[Callable[[], bool]]:
        """Let what is raised pass only while the head still stands."""
        try:
            yield lambda: self._heads.stands(tenant, head)
        except (errors.StoreUnavailable, errors.StoreUnusable):
            raise
        except Exception:  # half of a commit can look like anything
            if self._heads.stands(tenant, head):
                raise

    def _commit(self, work: Work, after: Head, writes: list[Document]) -> bool:
        """Commit, and apply; return whether it counted."""
        name = f"{self._name}/{next(self._numbers)}"
        return self._heads.commit(work.tenant, work.head, after, writes, name=name)

    def _pause(self, wait: float) -> None:
        """Wait between two tries, some processes longer than others."""
        share = int(self._name[-4:] or "0", 16) / 0xFFFF
        time.sleep(wait * (0.5 + share))
