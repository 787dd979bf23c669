"""Confine the calling process with Landlock and seccomp, then become its gate.

Run as a program of its own, from its text, by the level ``landlock``: as the
task's uid, which may read nothing of this package. It uses the standard library
alone. Its one argument is JSON: the paths, some of them as descriptors that are open
already, the rights, and the filter.
"""

import ctypes
import json
import os
import signal
import stat
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2

# Rights on files, by the version of Landlock that brought them.
EXECUTE, WRITE, READ_FILE, READ_DIR = 1, 2, 4, 8
_BY_VERSION = {1: 0x1FFF, 2: 0x2000, 3: 0x4000, 5: 0x8000}
_ON_FILES = EXECUTE | WRITE | READ_FILE | 0x4000 | 0x8000
_NET_FROM, _SCOPE_FROM = 4, 6


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def version() -> int:
    """Ask the kernel for its version of Landlock; 0 when there is none."""
    known: int = libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(0, known)


def _landlock(
    reads: list[str | int], writes: list[str | int], *, network: bool
) -> None:
    known = version()
    every = 0
    for since, rights in _BY_VERSION.items():
        every |= rights if since <= known else 0
    net = 3 if known >= _NET_FROM and not network else 0
    scoped = 3 if known >= _SCOPE_FROM else 0
    wanted = struct.pack("=QQQ", every, net, scoped)
    if known < _NET_FROM:
        wanted = wanted[:8]
    elif known < _SCOPE_FROM:
        wanted = wanted[:16]
    ruleset = _checked(
        libc.syscall(_CREATE, wanted, ctypes.c_size_t(len(wanted)), ctypes.c_uint(0))
    )
    for path in reads:
        _allow(ruleset, path, EXECUTE | READ_FILE | READ_DIR)
    for path in writes:
        _allow(ruleset, path, every)
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0)))
    os.close(ruleset)


def _allow(ruleset: int, path: str | int, rights: int) -> None:
    try:
        fd = path if isinstance(path, int) else os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= _ON_FILES
    rule = struct.pack("=Qi", rights, fd)
    _checked(
        libc.syscall(
            _ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint(0)
        )
    )
    os.close(fd)


def _seccomp(code: bytes) -> None:
    program = _Filter(len(code) // 8, code)
    _checked(
        libc.prctl(
            _PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program), 0, 0
        )
    )


def main(argv: list[str]) -> None:
    """Confine, then execute what follows the first argument."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
        signal.signal(number, signal.SIG_DFL)
    wanted = json.loads(argv[0])
    _landlock(wanted["reads"], wanted["writes"], network=wanted["network"])
    _seccomp(bytes.fromhex(wanted["filter"]))
    os.execv(argv[1], argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
