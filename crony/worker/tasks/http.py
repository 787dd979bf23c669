"""An http task: the worker's own request, by the operator's rules."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from datetime import timedelta

from crony import errors, log
from crony.model.task import JsonObject
from crony.outbound import Rules
from crony.worker import reading
from crony.worker.outcome import Ending
from crony.worker.tasks import request
from crony.worker.work import Work

_log = log.get(__name__)


class HttpWork(Work):
    """A request in a thread of its own; stopping it shuts its connection down.

    There is no process to kill for it: a worker that is stopped for longer than
    its lease notices when it goes on, before it connects.
    """

    def __init__(self, task: JsonObject, rules: Rules) -> None:
        self._request = request.parse(task)
        self._rules = rules
        wanted = reading.mapping(task, "http")
        self._expected = reading.optional_text(wanted, "expect_status") or "2xx"
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._stopped = False
        self._closed = False
        self._ending = Ending(error="stopped before there was an answer")
        self.ended = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.streams = {}
        self.progress = None

    def watch(self, *, kill_at: timedelta) -> None:
        pass

    def extend(self, *, kill_at: timedelta) -> None:
        pass

    def release(self) -> None:
        thread = threading.Thread(target=self._execute, name="crony-http", daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:
            raise errors.SandboxFailed("no thread for the request") from exc

    def _execute(self) -> None:
        try:
            response = request.exchange(self._request, self._rules, self._connected)
        except (errors.AddressRefused, ConnectionError) as exc:
            self._ending = Ending(error=str(exc))
        except Exception:  # noqa: BLE001  # the thread's top: the run must end
            _log.exception("http task failed")
            self._ending = Ending(error="the request could not be made")
        else:
            error = None
            if not request.as_expected(response.status, self._expected):
                error = f"status {response.status}, expected {self._expected}"
            self._ending = Ending(error=error, result=response.result())
        self._say_ended()

    def _say_ended(self) -> None:
        with self._lock:
            # A number that was closed may be somebody else's by now.
            if not self._closed:
                os.eventfd_write(self.ended, 1)

    def _connected(self, connection: socket.socket) -> None:
        with self._lock:
            self._socket = connection
            if self._stopped:
                raise ConnectionError("stopped")

    def terminate(self) -> None:
        with self._lock:
            self._stopped = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        # Whatever the thread still waits for, it will send nothing any more.
        self.terminate()
        self._say_ended()

    def wait(self) -> Ending:
        return self._ending

    def close(self) -> None:
        self.terminate()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self.ended)
