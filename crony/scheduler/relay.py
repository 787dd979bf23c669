"""Wakes between hosts, carried by the store.

One thread listens, and comes back whenever the store does. Another speaks, so that
publishing waits for nothing: what comes meanwhile is merged into one piece of news,
and what grows too large into "anything may have happened".
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Callable

from crony import errors, log
from crony.scheduler.wake import Wake, encoded, packed, spoken, understood
from crony.storage.contract import NEWS_BYTES, Store

_log = log.get(__name__)

#: So many things are named while they wait to be said; of more it is said that there
#: may be anything.
MOST = 2_000

#: In seconds: how long news are gathered after some were told, so that a busy node
#: tells a hundred times a second at most,
_GATHER = 0.01
#: how soon what failed is tried again, and how late once it failed often,
_FIRST, _LONGEST = 0.05, 2.0
#: and how long what is left to say at the end may take.
_LAST_WORDS = 2.0


class _Pauses:
    """Waits that grow with each try, and differ between processes."""

    def __init__(self) -> None:
        self._next = _FIRST

    def reset(self) -> None:
        self._next = _FIRST

    def grown(self) -> float:
        pause, self._next = self._next, min(2 * self._next, _LONGEST)
        return pause * random.uniform(0.5, 1)


class Relay:
    """This process among those of all hosts that have the store open."""

    def __init__(self, store: Store, receive: Callable[[Wake], None]) -> None:
        self._store = store
        self._receive = receive
        self._name = ""
        self._place = ""
        self._changed = threading.Condition()
        #: Guarded by it: what is to be said, and what this process waits to hear.
        self._news = Wake()
        self._greeting: str | None = None
        #: By the monotonic clock, when to greet (again).
        self._greet_at = 0.0
        self._greet_pauses = _Pauses()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._alone = False

    @property
    def hears_all(self) -> bool:
        """Whether news arrive: there are others to be heard, or can be none."""
        return self._alone or (bool(self._threads) and self._greeting is None)

    def open(self, place: str | None) -> None:
        """Listen and speak from now on; those of the same place hear each other."""
        capabilities = self._store.capabilities
        self._alone = not capabilities.shared
        if not capabilities.notifies or self._threads:
            return
        self._name = secrets.token_hex(8)
        self._place = place or self._name
        self._stopping.clear()
        self._greet()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in (
                (self._listen, "crony-hear"),
                (self._speak, "crony-tell"),
            )
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Say what is still to be said, as far as that is quick, and stop."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=_LAST_WORDS)
        self._threads = []

    def send(self, wake: Wake) -> None:
        """Tell the others, soon; nothing waits for it."""
        if not self._threads:
            return
        with self._changed:
            news = self._news | wake
            if news.missed or len(news) > MOST:
                # Whoever hears that looks at all there is, but duties are asked for.
                news = Wake(duties=news.duties, missed=True)
            self._news = news
            self._changed.notify_all()

    # Listening.

    def _listen(self) -> None:
        pauses = _Pauses()
        while not self._stopping.is_set():
            try:
                self._store.listen(self._hear, until=self._stopping.is_set)
            except errors.Unavailable as exc:
                if self._greeting is None and not self._stopping.is_set():
                    _log.warning("news of other nodes don't arrive", detail=str(exc))
            except Exception:  # noqa: BLE001  # the thread must outlive everything
                _log.exception("listening for news failed")
            if self._greeting is None:
                pauses.reset()
            self._greet()
            self._stopping.wait(pauses.grown())

    def _greet(self) -> None:
        """Hear nothing from now on, until this process hears itself."""
        with self._changed:
            self._greeting = secrets.token_hex(8)
            self._greet_at = 0.0
            self._greet_pauses.reset()
            self._changed.notify_all()

    def _hear(self, data: bytes) -> None:
        try:
            message: object = json.loads(data)
        except (ValueError, RecursionError):
            _log.warning("news make no sense", size=len(data))
            return
        if not isinstance(message, dict):
            return
        if message.get("from") == self._name:
            self._hear_self(message.get("greeting"))
            return
        # Neighbours have told each other already.
        if message.get("place") == self._place:
            return
        wake = understood(message)
        if wake:
            self._receive(wake)

    def _hear_self(self, greeting: object) -> None:
        with self._changed:
            if greeting is None or greeting != self._greeting:
                return
            self._greeting = None
        _log.debug("news of other nodes arrive")
        # What came before that was not heard.
        self._receive(Wake(missed=True))

    # Speaking.

    def _speak(self) -> None:
        pauses = _Pauses()
        while True:
            news, greeting = self._next()
            if not news and greeting is None:
                return
            try:
                self._tell(news, greeting)
            except Exception as exc:  # noqa: BLE001  # the thread must outlive everything
                if not isinstance(exc, errors.Unavailable):
                    _log.exception("telling news failed")
                # Some may not have heard it.
                self.send(Wake(duties=news.duties, missed=bool(news)))
                if self._stopping.is_set():
                    return
                self._stopping.wait(pauses.grown())
            else:
                pauses.reset()
                self._stopping.wait(_GATHER)

    def _next(self) -> tuple[Wake, str | None]:
        """Wait for something to say; nothing is left when this is to stop."""
        with self._changed:
            while not (self._news or self._stopping.is_set()):
                left = None
                if self._greeting is not None:
                    left = self._greet_at - time.monotonic()
                    if left <= 0:
                        break
                self._changed.wait(left)
            news, self._news = self._news, Wake()
            greeting = None if self._stopping.is_set() else self._greeting
            if greeting is not None:
                # A greeting that nobody listened to yet is said again.
                self._greet_at = time.monotonic() + self._greet_pauses.grown()
            return news, greeting

    def _tell(self, news: Wake, greeting: str | None) -> None:
        head = {"from": self._name, "place": self._place}
        if greeting is not None:
            self._store.tell(encoded({**head, "greeting": greeting}))
        for part in packed(spoken(news), head=head, most=NEWS_BYTES):
            self._store.tell(part)
