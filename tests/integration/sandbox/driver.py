"""A worker of the tests: a process of its own that opens one level and obeys.

It reads one JSON request a line and answers each with one line. As root it can be
asked to become a plain user first; what that user needs to read below a private
home is uncovered for it, as the worker does it for task uids.
"""

import ctypes
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from crony import errors
from crony.worker.sandbox import (
    Command,
    Limits,
    Operator,
    Prepared,
    Sandbox,
    Watchdog,
    hidden,
    open_sandbox,
)
from crony.worker.sandbox.places import Places
from crony.worker.sandbox.spares import Spares

WITHIN = timedelta(seconds=30)


class Driver:
    """Prepared runs by their key."""

    def __init__(self, sandbox: Sandbox, watchdog: Watchdog, *, spares: int) -> None:
        self.sandbox = sandbox
        self.spares = spares
        sandbox.keep_ready(spares)
        self.watchdog = watchdog
        self.runs: dict[str, Prepared] = {}

    def prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        command = Command(
            argv=tuple(request["argv"]),
            env=request.get("env", {}),
            stdin=request.get("stdin", "").encode(),
            workdir=request.get("workdir"),
            files={
                name: (text.encode(), 0o755)
                for name, text in request.get("files", {}).items()
            },
        )
        asked = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in request.get("limits", {}).items()
        }
        key = request["key"]
        slot = request.get("slot", 1)
        if slot < self.spares:
            self.await_spare(slot)
        with attacked(self.sandbox, **request.get("attack", {})):
            run = self.sandbox.prepare(key, command, Limits(**asked), slot=slot)
            self.runs[key] = run
            run.wait_ready(WITHIN)
            if request.get("watched"):
                self.watch({"key": key, "seconds": 600})
        return {"outer_pid": run.outer_pid, "inner_pid": getattr(run, "inner_pid", 0)}

    def await_spare(self, slot: int) -> None:
        """Wait until a sandbox stands for a slot, unless a run is in it."""
        spares: Spares = self.sandbox._spares  # type: ignore[attr-defined]
        with spares._changed:
            # Attacks that no spare would do for must not end the reserve.
            spares._unfit = 0
            spares._changed.notify_all()
            assert spares._changed.wait_for(
                lambda: slot in spares._standing or slot in spares._used, 30
            )

    def watch(self, request: dict[str, Any]) -> dict[str, Any]:
        at = time.clock_gettime(time.CLOCK_BOOTTIME) + request["seconds"]
        self.watchdog.watch(request["key"], self.runs[request["key"]], kill_at=at)
        return {"watchdog": self.watchdog.pid}

    def extend(self, request: dict[str, Any]) -> dict[str, Any]:
        at = time.clock_gettime(time.CLOCK_BOOTTIME) + request["seconds"]
        self.watchdog.extend(request["key"], kill_at=at)
        return {}

    def forget(self, request: dict[str, Any]) -> dict[str, Any]:
        self.watchdog.forget(request["key"])
        return {}

    def release(self, request: dict[str, Any]) -> dict[str, Any]:
        self.runs[request["key"]].release()
        return {}

    def terminate(self, request: dict[str, Any]) -> dict[str, Any]:
        self.runs[request["key"]].terminate()
        return {}

    def kill(self, request: dict[str, Any]) -> dict[str, Any]:
        self.runs[request["key"]].kill()
        return {}

    def discard(self, request: dict[str, Any]) -> dict[str, Any]:
        self.runs.pop(request["key"]).discard()
        return {}

    def wait(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.pop(request["key"])
        out, err, progress = drained(run)
        ended = run.wait()
        run.close()
        self.watchdog.forget(request["key"])
        return {
            "exit_code": ended.exit_code,
            "signal": ended.signal,
            "oom": ended.oom,
            "cpu": None if ended.cpu is None else ended.cpu.total_seconds(),
            "memory_peak": ended.memory_peak,
            "out": out,
            "err": err,
            "progress": progress,
        }

    def read(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read a line of the task's output, as soon as there is one."""
        fd = self.runs[request["key"]].stdout
        select.select([fd], [], [], WITHIN.total_seconds())
        return {"out": os.read(fd, 65536).decode()}

    def fds(self, request: dict[str, Any]) -> dict[str, Any]:
        for slot in range(self.spares):
            self.await_spare(slot)
        return {"count": len(os.listdir("/proc/self/fd"))}


@contextmanager
def attacked(
    sandbox: Sandbox, *, exchange: tuple[str, str] | None = None, verify: bool = True
) -> Iterator[None]:
    """Win the race of another task: exchange two files after they were checked.

    Without ``verify`` nobody looks at what the sandbox shows.
    """
    spawner: Any = sandbox._spawner  # type: ignore[attr-defined]
    spawn: Callable[..., int] = spawner.spawn
    looked = Places.verify

    def late(*given: Any, **more: Any) -> int:
        # A reserve is made at the same time, and has no paths.
        if exchange is not None and not more["run_key"].startswith("spare-"):
            exchanged(*exchange)
        return spawn(*given, **more)

    def blind(places: Places, pid: int) -> None:
        assert pid

    spawner.spawn = late
    if not verify:
        Places.verify = blind  # type: ignore[method-assign]
    try:
        yield
    finally:
        spawner.spawn = spawn
        Places.verify = looked  # type: ignore[method-assign]


def exchanged(one: str, other: str) -> None:
    """Let two paths swap what they name, at one instant."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def drained(run: Prepared) -> list[str]:
    """Read all that comes until the process is gone, and what is in the pipes."""
    said = {run.stdout: b"", run.stderr: b"", run.progress: b""}
    poll = select.poll()
    for fd in (*said, run.pidfd):
        poll.register(fd, select.POLLIN)
    over = False
    while not over:
        over = run.pidfd in dict(poll.poll())
        for fd in said:
            with suppress(BlockingIOError):
                while chunk := os.read(fd, 65536):
                    said[fd] += chunk
                else:
                    with suppress(KeyError):
                        poll.unregister(fd)
    return [text.decode(errors="replace") for text in said.values()]


def serve(asked: dict[str, Any]) -> None:
    """Open what was asked for, then obey."""
    operator = Operator(
        state_dir=Path(asked["state_dir"]),
        allow_network_host=asked.get("allow_network_host", False),
        allowed_ro=tuple(asked.get("allowed_ro", ())),
        allowed_rw=tuple(asked.get("allowed_rw", ())),
        python=sys.executable,
    )
    try:
        watchdog = Watchdog()
        sandbox = open_sandbox(asked["level"], operator, watchdog=watchdog)
        driver = Driver(sandbox, watchdog, spares=asked.get("spares", 0))
    except errors.MissingSafeguard as exc:
        answer({"missing": str(exc)})
        return
    answer({"level": driver.sandbox.level, "about": driver.sandbox.describe()})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(driver, request["do"])(request))
        except errors.CronyError as exc:
            answer({"error": type(exc).__name__, "detail": str(exc)})
    for run in driver.runs.values():
        run.close()
    watchdog.close()
    driver.sandbox.close()


def answer(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    asked = json.loads(sys.argv[1])
    uid = asked.pop("become", None)
    if uid is not None:
        hidden.uncover(
            [sys.prefix, sys.base_prefix, str(Path.cwd())], [asked["state_dir"]]
        )
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        # A process that changed its uid may not be looked at: begin anew.
        os.execv(
            sys.executable, [sys.executable, "-m", __spec__.name, json.dumps(asked)]
        )
    serve(asked)


if __name__ == "__main__":
    main()
