"""The few system calls that Python has no function for.

PERF: what is done at once is done with the interpreter's lock held. To let go of it and
ask for it again costs more than the call, and in a worker with a thread for each run it
may be long until one has it again.
"""

import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct

from crony.worker.sandbox.syscalls import NUMBERS

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1

_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_CLEAR_ALL = 4
#: Of capget(2): its third version, about the calling thread.
_CAPABILITIES = struct.pack("=Ii", 0x20080522, 0)

_CLOSE_RANGE = 436
_CLOSE_RANGE_CLOEXEC = 4

#: For calls that may take long, and for those that take a moment.
_libc = ctypes.CDLL(None, use_errno=True)
_at_once = ctypes.PyDLL(None, use_errno=True)
_NUMBERS = NUMBERS.get(platform.machine(), {})


def _checked(result: int, path: str | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def _call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> None:
    """Make a system call, for what the C library would do to all threads."""
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    _checked(_at_once.syscall(ctypes.c_long(_NUMBERS[name]), *given))


def write(fd: int, data: bytes) -> None:
    """Write a few bytes to where they go in one piece, and never wait."""
    _checked(_at_once.write(fd, data, ctypes.c_size_t(len(data))))


def set_uids_of_thread(uid: int, *, saved: int) -> None:
    """Set the real and the effective uid of the calling thread, and its saved one."""
    _call("setresuid", uid, uid, saved)


def set_gids_of_thread(gid: int, *, saved: int) -> None:
    """Set the real and the effective gid of the calling thread, and its saved one."""
    _call("setresgid", gid, gid, saved)


def clear_groups_of_thread() -> None:
    """Leave all supplementary groups."""
    _call("setgroups", 0, 0)


def forbid_new_privileges() -> None:
    """Have nothing that the calling thread executes gain rights (no_new_privs)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_bounding_capabilities() -> None:
    """Have nothing that the calling thread executes get any capability."""
    capability = 0
    while True:
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError as exc:
            # Beyond the last one that this kernel has.
            if exc.errno == errno.EINVAL and capability > 0:
                return
            raise
        capability += 1


def clear_inheritable_capabilities() -> None:
    """Keep the calling thread's capabilities out of what it executes."""
    _prctl(_PR_CAP_AMBIENT, _CLEAR_ALL)
    has = ctypes.create_string_buffer(24)
    _call("capget", _CAPABILITIES, has)
    # Twice, for its two halves: effective, permitted, inheritable.
    halves = struct.unpack("=6I", has.raw)
    kept = (*halves[0:2], 0, *halves[3:5], 0)
    _call("capset", _CAPABILITIES, struct.pack("=6I", *kept))


def _prctl(option: int, argument: int) -> None:
    none = ctypes.c_ulong(0)
    _checked(_at_once.prctl(option, ctypes.c_ulong(argument), none, none, none))


def unshare_mounts() -> None:
    """Give the calling thread a mount namespace of its own."""
    _checked(_libc.unshare(CLONE_NEWNS))


def unshare_network() -> None:
    """Give the calling thread a new, empty network namespace."""
    _checked(_libc.unshare(CLONE_NEWNET))


def enter_network(fd: int) -> None:
    """Move the calling thread into a network namespace that is open as ``fd``."""
    _checked(_at_once.setns(fd, CLONE_NEWNET))


def raise_loopback() -> None:
    """Set the loopback interface of the calling thread's network up."""
    request = struct.pack("16sh", b"lo", _IFF_UP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SIOCSIFFLAGS, request.ljust(40, b"\0"))


def mount(
    source: str, target: str, kind: str | None, flags: int, options: str = ""
) -> None:
    """Call mount(2)."""
    _checked(
        _libc.mount(
            source.encode(),
            os.fsencode(target),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode() or None,
        ),
        target,
    )


def close_on_exec_from(first: int) -> None:
    """Mark every descriptor from ``first`` on, so that no child inherits it.

    Python makes its own that way, but not what a C library opened or what the
    worker itself was started with.
    """
    result = _at_once.syscall(
        ctypes.c_long(_CLOSE_RANGE),
        ctypes.c_uint(first),
        ctypes.c_uint(0xFFFFFFFF),
        ctypes.c_uint(_CLOSE_RANGE_CLOEXEC),
    )
    if result < 0:  # a kernel before 5.11
        for name in os.listdir("/proc/self/fd"):
            if int(name) >= first:
                try:
                    os.set_inheritable(int(name), False)
                except OSError:  # the descriptor of the listing itself
                    continue
