"""posix_spawn(3) without the interpreter's lock.

``os.posix_spawn`` keeps the lock until the child has executed its program, which on a
busy host is milliseconds. Then nothing else of a worker that starts many runs at once
comes to its turn. Here the C library is called by ``ctypes``, which lets go of it.
"""

import ctypes
import os
import signal
from collections.abc import Mapping, Sequence

_libc = ctypes.CDLL(None)
#: With the lock: for what takes no time.
_at_once = ctypes.PyDLL(None)

_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
#: More than any C library's structures of these calls take.
_ROOM = 512

#: Python ignores some of these, and what is ignored stays ignored over exec.
_DEFAULT_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def spawn(
    argv: Sequence[str], *, env: Mapping[str, str], fds: Mapping[int, int]
) -> int:
    """Start ``argv`` in a session of its own, with Unix's own signals; give its pid.

    ``fds`` says which descriptor of ours becomes which one of the child's. Raises
    ``OSError``.
    """
    actions = ctypes.create_string_buffer(_ROOM)
    _checked(_at_once.posix_spawn_file_actions_init(actions))
    try:
        for theirs, ours in fds.items():
            _checked(_at_once.posix_spawn_file_actions_adddup2(actions, ours, theirs))
        return _spawn(argv, [f"{name}={value}" for name, value in env.items()], actions)
    finally:
        _at_once.posix_spawn_file_actions_destroy(actions)


def _spawn(
    argv: Sequence[str], env: Sequence[str], actions: ctypes.Array[ctypes.c_char]
) -> int:
    pid = ctypes.c_int()
    program = os.fsencode(argv[0])
    _checked(
        _libc.posix_spawn(
            ctypes.byref(pid), program, actions, _ATTRIBUTES, _words(argv), _words(env)
        ),
        argv[0],
    )
    return pid.value


def _words(words: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    if any("\0" in word for word in words):
        raise ValueError("embedded null byte")
    made = (ctypes.c_char_p * (len(words) + 1))()
    made[: len(words)] = [os.fsencode(word) for word in words]
    return made


def _attributes() -> ctypes.Array[ctypes.c_char]:
    """Make what is the same for every child, once."""
    made = ctypes.create_string_buffer(_ROOM)
    default = ctypes.create_string_buffer(_ROOM)
    blocked = ctypes.create_string_buffer(_ROOM)
    _checked(_at_once.posix_spawnattr_init(made))
    _at_once.sigemptyset(default)
    _at_once.sigemptyset(blocked)
    for number in _DEFAULT_SIGNALS:
        _at_once.sigaddset(default, number)
    _checked(_at_once.posix_spawnattr_setsigdefault(made, default))
    _checked(_at_once.posix_spawnattr_setsigmask(made, blocked))
    flags = ctypes.c_short(_SETSIGDEF | _SETSIGMASK | _SETSID)
    _checked(_at_once.posix_spawnattr_setflags(made, flags))
    return made


def _checked(number: int, path: str | None = None) -> None:
    """These functions return the number of their error."""
    if number != 0:
        raise OSError(number, os.strerror(number), path)


_ATTRIBUTES = _attributes()
