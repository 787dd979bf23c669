"""The watchdog: a process that kills sandboxes when nobody else can any more.

It is started with the worker, in a session of its own, and told on a socket about
every sandbox: what to kill and when its lease is over. It keeps the time itself,
on CLOCK_BOOTTIME, so it holds when the worker is stopped, busy, cut off or dead.
When the worker is gone (end-of-file) it kills everything at once, waits until all
of it is dead, and only then ends: with it goes the lock that a new worker waits
for. What the worker had started and not yet told about is known by a mark in its
environment, and by a pipe: whatever stands before a task holds its other end.

A message is a verb, a key and what belongs to it, parted by NUL characters:
``watch KEY AT PLACE…`` together with pidfds, ``extend KEY AT``, ``forget KEY``;
each is answered by one byte, once it counts. The pidfds were opened while the
worker had not reaped the processes, so they name the right ones for ever. A place
is the directory of a control group, the number of a session, or a mark.

This file is run by its path and imports nothing of Crony: it must start fast, and
must not change because the package was upgraded below a running worker.
"""

import ctypes
import os
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress

#: The variable by which a process is known for one of a worker's.
MARK = "CRONY_SANDBOX"

#: Later than every instant.
NEVER = float("inf")

_IGNORED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

#: A group that forks faster than this many rounds is caught by the next call.
_ROUNDS = 200

#: A process that is just being executed shows no environment for an instant.
_CLEAN_LOOKS = 3
_BETWEEN_LOOKS = 0.002

#: The longest message.
LARGEST = 65536
#: The most pidfds one sandbox has.
MOST_FDS = 8


def now() -> float:
    """Seconds since the host was started, with those it was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def dead(pidfd: int, *, within: float | None) -> bool:
    """Wait for the end of a process, for some seconds or without end."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if within is None else within * 1000))


def kill_groups(paths: list[str]) -> None:
    """Send SIGKILL to all members of a group, and those they fork meanwhile.

    Never to a worker: a thread of it is in there for the moment of a start.
    """
    # 0 is whoever is outside of this process namespace.
    spared = {0, os.getpid(), os.getppid()}
    for path in paths:
        try:  # in one step, where the kernel can
            with open(f"{path}/cgroup.kill", "w") as file:
                file.write("1")
            return
        except OSError:
            continue
    for path in paths:  # nothing is born into it any more
        with suppress(OSError), open(f"{path}/pids.max", "w") as file:
            file.write("0")
    for path in paths:
        for _ in range(_ROUNDS):
            try:
                with open(f"{path}/cgroup.procs") as file:
                    pids = {int(line) for line in file} - spared
            except OSError:
                break
            if not pids:
                break
            for pid in pids:  # seen in the group an instant ago
                _kill(pid)


def kill_sessions(leaders: dict[int, int]) -> None:
    """Send SIGKILL to the members of sessions, as long as the numbers are theirs.

    ``leaders``: number of a session -> pidfd of its first process. A number belongs
    to the session as long as it has a member, its first process or another.
    """
    for _ in range(_ROUNDS):
        found = sessions(set(leaders))
        for pid, number in found:
            taken_over = pid == number and dead(leaders[number], within=0)
            if taken_over:
                leaders = {key: fd for key, fd in leaders.items() if key != number}
            elif number in leaders:
                _kill(pid)
        if not found:
            return


def sessions(numbers: set[int]) -> list[tuple[int, int]]:
    """List the live processes of some sessions, each after its session's first."""
    found = []
    for name in os.listdir("/proc"):
        fields = stat_of(int(name)) if name.isdigit() else []
        if fields and fields[0] not in "ZX" and int(fields[3]) in numbers:
            found.append((int(name), int(fields[3])))
    return sorted(found, key=lambda one: one[0] != one[1])


def marked(mark: str) -> list[int]:
    """List the live processes whose environment has a variable that begins so."""
    wanted = mark.encode(errors="surrogateescape")
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb", buffering=0) as file:
                variables = file.readall()
        except OSError:  # gone, or another user's
            continue
        if variables.startswith(wanted) or b"\0" + wanted in variables:
            found.append(int(name))
    return found


def kill_marked(mark: str) -> None:
    """Send SIGKILL to what has a mark, until nothing has it any more."""
    looks = 0
    while looks < _CLEAN_LOOKS:
        found = marked(mark)
        for pid in found:
            _kill(pid)
        looks = 0 if found else looks + 1
        time.sleep(_BETWEEN_LOOKS)


def stat_of(pid: int) -> list[str]:
    """Read a process's fields from its state on; nothing when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


class BootTimer:
    """A descriptor that is readable at an instant, also one slept through."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self.fd: int = self._libc.timerfd_create(time.CLOCK_BOOTTIME, flags)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self, at: float) -> None:
        """Wake at ``at``; never, when that is ``NEVER``."""
        # Zero would switch it off: an instant that has passed is still one.
        whole, part = divmod(0 if at == NEVER else max(1, int(at * 1e9)), 10**9)
        value = struct.pack("=qqqq", 0, 0, whole, part)
        self._libc.timerfd_settime(self.fd, 1, value, None)

    def clear(self) -> None:
        """Take the wake-up back in."""
        with suppress(BlockingIOError):
            os.read(self.fd, 8)


class Watch:
    """One sandbox: what to kill and when; the first pidfd leads the session."""

    def __init__(self, kill_at: float, fds: list[int], places: list[str]) -> None:
        self.kill_at = kill_at
        self.fds = fds
        self.sessions = [int(place) for place in places if place.isdigit()]
        self.marks = [f"{place}\0" for place in places if place.startswith(MARK)]
        self.groups = [place for place in places if place.startswith("/")]

    def forget(self) -> None:
        """Let go of the descriptors."""
        for fd in self.fds:
            os.close(fd)


class Keeper:
    """The watchdog's state, and one step for each thing that happens.

    ``left`` is readable once nobody holds the leash; ``mark`` is the worker's.
    """

    def __init__(self, left: int, mark: str) -> None:
        self.watched: dict[str, Watch] = {}
        self._left = left
        self._mark = mark

    def hear(self, line: str, fds: list[int]) -> None:
        """Act on one message."""
        verb, key, *rest = line.split("\0")
        if verb == "watch":
            self._forget(key)
            self.watched[key] = Watch(float(rest[0]), fds, rest[1:])
            return
        for fd in fds:
            os.close(fd)
        if verb == "extend" and key in self.watched:
            self.watched[key].kill_at = float(rest[0])
        elif verb == "forget":
            self._forget(key)

    def _forget(self, key: str) -> None:
        if (old := self.watched.pop(key, None)) is not None:
            old.forget()

    def tick(self, at: float) -> float:
        """Kill what is over; give the instant of the next one."""
        over = [watch for watch in self.watched.values() if watch.kill_at <= at]
        kill(over)
        for watch in over:
            watch.kill_at = NEVER
        return min((one.kill_at for one in self.watched.values()), default=NEVER)

    def end(self) -> None:
        """Kill everything, wait until it is dead, and remove its groups."""
        everything = list(self.watched.values())
        kill(everything)
        for watch in everything:
            for fd in watch.fds:
                dead(fd, within=None)
        kill(everything)
        self._end_unknown()
        for watch in everything:
            for path in watch.groups:
                with suppress(OSError):
                    os.rmdir(path)

    def _end_unknown(self) -> None:
        """Kill what was being started: it has the mark, and until then the leash.

        What stands at a gate has only the leash, and ends by itself.
        """
        kill_marked(self._mark)
        poll = select.poll()
        poll.register(self._left, 0)  # to be told of its end, not of data in it
        while not poll.poll(_BETWEEN_LOOKS * 1000):
            kill_marked(self._mark)


def kill(watches: list[Watch]) -> None:
    """Send SIGKILL to all of some sandboxes."""
    leaders: dict[int, int] = {}
    for watch in watches:
        for fd in watch.fds:
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        kill_groups(watch.groups)
        leaders.update(dict.fromkeys(watch.sessions, watch.fds[0]))
    if leaders:
        kill_sessions(leaders)
    for mark in (mark for watch in watches for mark in watch.marks):
        kill_marked(mark)


def run(channel: socket.socket, keeper: Keeper) -> None:
    """Watch until the worker is gone."""
    timer = BootTimer()
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(timer.fd, select.POLLIN)
    while True:
        timer.set(keeper.tick(now()))
        happened = dict(poll.poll())
        if timer.fd in happened:
            timer.clear()
        if channel.fileno() in happened:
            try:
                said, fds, _, _ = socket.recv_fds(channel, LARGEST, MOST_FDS)
            except ConnectionError:
                said, fds = b"", []
            if not said:
                break
            keeper.hear(said.decode(errors="surrogateescape"), fds)
            try:
                channel.send(b".", socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            except ConnectionError:
                break
    keeper.end()


def _be_spared() -> None:
    """Ask not to be the one who is killed when the host is out of memory."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-900")
    except OSError:
        pass  # a plain user may not


def main() -> None:
    """Serve: arguments are the socket, the leash's read end, and its word."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    channel = socket.socket(fileno=int(sys.argv[1]))
    keeper = Keeper(int(sys.argv[2]), f"{MARK}={sys.argv[3]}.")
    _be_spared()
    os.write(1, b"r")
    os.close(1)
    run(channel, keeper)


if __name__ == "__main__":
    main()
