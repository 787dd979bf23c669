"""The few system calls that Python has no function for."""

import ctypes
import fcntl
import os
import socket
import struct

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

_CLOSE_RANGE = 436
_CLOSE_RANGE_CLOEXEC = 4

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, path: str | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def unshare_mounts() -> None:
    """Give the calling thread a mount namespace of its own."""
    _checked(_libc.unshare(CLONE_NEWNS))


def unshare_network() -> None:
    """Give the calling thread a new, empty network namespace."""
    _checked(_libc.unshare(CLONE_NEWNET))


def enter_network(fd: int) -> None:
    """Move the calling thread into a network namespace that is open as ``fd``."""
    _checked(_libc.setns(fd, CLONE_NEWNET))


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
    result = _libc.syscall(
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
