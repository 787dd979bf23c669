"""Where tenants move from and to: a service, or a store that no service works on."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from crony.cli import answers
from crony.cli.session import Session
from crony.model.task import JsonObject

if TYPE_CHECKING:
    from crony.client import Client
    from crony.scheduler.service import Service


class Result(NamedTuple):
    """What became of a line of a piece."""

    #: Its number in the piece, from 1.
    line: int
    kind: str
    id: str
    #: stored | unchanged | refused | read
    outcome: str
    #: Why it was refused.
    why: str


class House(ABC):
    """One side of a move."""

    #: The largest piece that it takes.
    most: int

    @abstractmethod
    def lines(
        self, *, everything: bool, secrets: bool, behind: str | None
    ) -> Iterator[bytes]:
        """Yield the lines of an export; raises before the first what is refused."""

    @abstractmethod
    def hold(self, tenant: str | None) -> None:
        """Let nothing of a tenant come due or start."""

    @abstractmethod
    def in_hands(self, tenant: str | None) -> int:
        """Return how many runs of a tenant workers have."""

    @abstractmethod
    def take(self, lines: Sequence[bytes]) -> Iterator[Result]:
        """Take a piece in."""

    @abstractmethod
    def activate(self, tenant: str | None) -> None:
        """Let a tenant go on."""


class ServiceHouse(House):
    """A service that runs."""

    #: As much as a request may hold.
    most = 16 << 20

    def __init__(self, session: Session) -> None:
        self._client: Client = session.client
        self._session = session

    def lines(
        self, *, everything: bool, secrets: bool, behind: str | None
    ) -> Iterator[bytes]:
        return self._client.export_records(
            everything=everything, secrets=secrets, behind=behind
        )

    def hold(self, tenant: str | None) -> None:
        self._client.hold_tenant(tenant)

    def in_hands(self, tenant: str | None) -> int:
        said = self._session.client_of(tenant).stats()
        return int(str(said["leased"])) + int(str(said["running"]))

    def take(self, lines: Sequence[bytes]) -> Iterator[Result]:
        answer = self._client.import_records(b"".join(lines))
        for item in answers.members(answer, "results"):
            problem = answers.member(item, "problem")
            yield Result(
                int(str(item["line"])),
                answers.text(item, "kind"),
                answers.text(item, "id"),
                answers.text(item, "outcome"),
                _why(problem) if problem else "",
            )

    def activate(self, tenant: str | None) -> None:
        self._client.activate_tenant(tenant)


class StoreHouse(House):
    """A store, opened here."""

    most = 1 << 30

    def __init__(self, service: Service, tenant: str | None) -> None:
        self._service = service
        self._tenant = tenant

    def lines(
        self, *, everything: bool, secrets: bool, behind: str | None
    ) -> Iterator[bytes]:
        from crony.scheduler.moving import Place

        return self._service.departure.lines(
            None if everything else (self._of(None),),
            secrets=secrets,
            after=None if behind is None else Place.of(behind),
        )

    def _of(self, tenant: str | None) -> str:
        return tenant or self._tenant or "default"

    def hold(self, tenant: str | None) -> None:
        self._service.releasing.hold(self._of(tenant))

    def in_hands(self, tenant: str | None) -> int:
        numbers = self._service.stats(self._of(tenant))
        return numbers.leased + numbers.running

    def take(self, lines: Sequence[bytes]) -> Iterator[Result]:
        from crony.errors import InvalidBody

        for each in self._service.arriving.take(lines, tenant=self._tenant):
            why = str(each.error) if each.error is not None else ""
            if isinstance(each.error, InvalidBody):
                why = "; ".join(f"{f.pointer}: {f.detail}" for f in each.error.faults)
            yield Result(each.line, each.kind or "", each.id, each.word, why)

    def activate(self, tenant: str | None) -> None:
        self._service.releasing.activate(self._of(tenant))


@contextmanager
def house(session: Session, storage: str | None, *, fresh: bool) -> Iterator[House]:
    """Give the side of a move that is meant; ``fresh``: a store may be made."""
    if storage is None:
        yield ServiceHouse(session)
        return
    from crony.clock import StoreClock
    from crony.config import home
    from crony.scheduler.service import Service
    from crony.storage import open_store

    store = open_store(storage, home=home(os.environ))
    if fresh:
        store.migrate()
    store.open()
    try:
        yield StoreHouse(Service(store, StoreClock(store.now)), session.tenant)
    finally:
        store.close()


def _why(problem: JsonObject) -> str:
    faults = [
        f"{answers.text(fault, 'pointer')}: {answers.text(fault, 'detail')}"
        for fault in answers.members(problem, "errors")
    ]
    return "; ".join(faults) or answers.text(problem, "detail")
