"""People who ask the service without a break, and note what they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from crony.testing.service import ServiceProcess
from tests.integration.api.caller import unique

#: Seconds between two questions of one of them, and how long one waits at most.
_PAUSE = 0.05
_PATIENCE = 40

CREATE, RUN, LOOK = "create", "run", "look"
WRITES = (CREATE, RUN)
ALL = (*WRITES, LOOK)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question, at so many seconds of the monotonic clock."""

    what: str
    began: float
    ended: float
    #: 0 where the service did not answer at all.
    status: int
    retry_after: str | None = None
    body: Any = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def took(self) -> float:
        return self.ended - self.began


class Load:
    """Three people: one creates schedules, one makes runs, one looks."""

    def __init__(self, service: ServiceProcess, *, manual: str) -> None:
        self._service = service
        self._stopping = threading.Event()
        self._news = threading.Condition()
        self.answers: list[Answer] = []
        asked: list[tuple[str, Callable[[requests.Session], requests.Response]]] = [
            (CREATE, self._create),
            (RUN, lambda session: self._post(session, f"/schedules/{manual}/run")),
            (LOOK, self._look),
        ]
        self._threads = [
            threading.Thread(target=self._go_on, args=each, daemon=True)
            for each in asked
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _create(self, session: requests.Session) -> requests.Response:
        body = {"name": unique("s"), "cron": "0 0 1 1 *", "task": {"command": "true"}}
        return self._post(session, "/schedules", body)

    def _look(self, session: requests.Session) -> requests.Response:
        url = self._service.url + "/schedules"
        return session.get(url, params={"limit": 1}, timeout=_PATIENCE)

    def _post(
        self, session: requests.Session, path: str, body: Any = None
    ) -> requests.Response:
        url = self._service.url + path
        return session.post(url, json=body, timeout=_PATIENCE)

    def _go_on(
        self, what: str, ask: Callable[[requests.Session], requests.Response]
    ) -> None:
        with requests.Session() as session:
            session.headers.update(self._service.headers)
            while not self._stopping.wait(_PAUSE * (4 if what == RUN else 1)):
                began = time.monotonic()
                status, after, body = 0, None, None
                with suppress(requests.RequestException):
                    found = ask(session)
                    status, body = found.status_code, found.json()
                    after = found.headers.get("Retry-After")
                made = Answer(what, began, time.monotonic(), status, after, body)
                with self._news:
                    self.answers.append(made)
                    self._news.notify_all()

    def of(
        self, what: str, *, since: float = 0, ok: bool | None = None
    ) -> list[Answer]:
        """Return the answers to what was asked since then."""
        return [
            each
            for each in self.answers
            if each.what == what
            and each.began >= since
            and (ok is None or each.ok is ok)
        ]

    def wait_for(
        self,
        kinds: Sequence[str],
        *,
        ok: bool,
        since: float,
        number: int = 1,
        within: float,
    ) -> float:
        """Wait for so many answers of each kind; return when the last one came."""

        def there() -> bool:
            return all(
                len(self.of(what, since=since, ok=ok)) >= number for what in kinds
            )

        with self._news:
            found = self._news.wait_for(there, timeout=within)
            assert found, f"not within {within} s: {self.answers[-10:]}"
            return max(
                self.of(what, since=since, ok=ok)[number - 1].ended for what in kinds
            )

    def made(self, what: str) -> list[str]:
        """Return the ids of all that was acknowledged."""
        return [str(each.body["id"]) for each in self.of(what, ok=True)]

    def bad(self, *, slowest: float) -> list[Answer]:
        """Return the answers that nobody should get."""
        return [
            each
            for each in self.answers
            if not (each.ok or (each.status == 503 and each.retry_after))
            or each.took > slowest
        ]
