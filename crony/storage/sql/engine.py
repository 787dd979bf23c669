"""Connections, transactions, and what the database's errors mean: for any database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from crony import errors
from crony.storage.contract import Capabilities
from crony.storage.sql.connection import Connection

RETRY_AFTER = timedelta(seconds=1)


class Contended(errors.StoreUnavailable):
    """A transaction had to give way to another; nothing of it happened."""


def unavailable(detail: str) -> errors.StoreUnavailable:
    """Return the error of what passes."""
    return errors.StoreUnavailable(detail, retry_after=RETRY_AFTER)


def closed() -> errors.StoreUnavailable:
    """Return the error of a verb on a store that is not open."""
    return unavailable("the store is closed")


class Database(ABC):
    """One database, with the connections of this process."""

    #: What a store on it can do.
    capabilities: Capabilities
    #: Whether all who write wait for each other, whatever it is that they write.
    one_writer: bool

    @abstractmethod
    def unconnected(self) -> Database:
        """Return the same database, without connections."""

    @abstractmethod
    def create(self) -> None:
        """Make what must be there before the first connection."""

    @abstractmethod
    def connect(self) -> None:
        """Begin to hand out connections; a fork must come before."""

    @abstractmethod
    def close(self) -> None:
        """Give all connections back."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection on which each statement sees the newest state."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Connection]:
        """Give a connection on which all statements see one state."""

    @abstractmethod
    def writing(self, *names: str) -> AbstractContextManager[Connection]:
        """Give a connection in a write transaction; durable when it returns.

        Of those that share a name, one goes on when the other has ended, and each of
        its statements sees all that the other did. A verb names the tenants whose
        things it reads before it writes; one statement by itself needs none.
        """

    @abstractmethod
    def clearing(self, name: str) -> AbstractContextManager[Connection]:
        """Give a connection as ``writing`` does, to remove all that there is.

        It may take as long as that takes.
        """

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """Give a connection in a write transaction, alone with the whole database."""

    @abstractmethod
    def alchemy_url(self) -> str:
        """Return what SQLAlchemy calls the database's dialect and driver."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the database's own time, or the host's where it is a file."""

    @abstractmethod
    def tell(self, news: bytes) -> None:
        """Do as ``Store.tell``."""

    @abstractmethod
    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        """Do as ``Store.listen``."""

    @abstractmethod
    def cannot_promise(self) -> Sequence[str]:
        """Do as ``Store.cannot_promise``."""
