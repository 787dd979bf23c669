"""The filter of system calls, as a BPF program made here.

What a task can do without is refused: whatever reaches for mounts, namespaces,
other processes, keys, the kernel's own state. Everything else is allowed, so that
ordinary programs run; the namespaces are the wall, this is what guards its gates.
"""

import os
import struct
from dataclasses import dataclass, field

from crony import errors
from crony.worker.sandbox.syscalls import NUMBERS

_LOAD, _JEQ, _JGE, _JSET, _RET, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

#: Offsets in what the kernel shows to the filter.
_NR, _ARCH_AT, _ARGS = 0, 4, 16

_REFUSED = """
mount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig
fsmount fspick mount_setattr quotactl quotactl_fd swapon swapoff
setns
ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp
add_key request_key keyctl
bpf perf_event_open init_module finit_module delete_module create_module kexec_load
kexec_file_load reboot syslog acct iopl ioperm lookup_dcookie userfaultfd vhangup
settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname
fanotify_init nfsservctl _sysctl
name_to_handle_at open_by_handle_at
"""

#: By line: mounts, namespaces (``clone`` and ``unshare`` are looked at below), other
#: processes, keys, the kernel itself, files past every path.
REFUSED = frozenset(_REFUSED.split())

#: Programs have another way when these are not there.
ABSENT = frozenset(
    {"io_uring_setup", "io_uring_enter", "io_uring_register", "clone3", "memfd_secret"}
)

#: Memory that no process's resident size shows: refused where no group counts it.
UNCOUNTED = frozenset({"memfd_create", "shmget"})

_NEW_NAMESPACES = 0x7E020000
_NEW_TIME = 0x80
_SET_ID = 0o6000
_CREATE = 0o100
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16


@dataclass(slots=True)
class _Program:
    """Instructions; blocks end in a return, so every jump is short and forward."""

    code: list[tuple[int, int, int, int]] = field(default_factory=list)

    def load(self, offset: int) -> None:
        self.code.append((_LOAD, 0, 0, offset))

    def give(self, action: int) -> None:
        self.code.append((_RET, 0, 0, action))

    def when(self, test: int, value: int, action: int) -> None:
        """Return ``action`` when the test holds of what is loaded."""
        self.code.append((test, 0, 1, value))
        self.give(action)

    def unless(self, test: int, value: int, action: int) -> None:
        """Return ``action`` when the test does not hold."""
        self.code.append((test, 1, 0, value))
        self.give(action)

    def of(self, number: int, block: "_Program") -> None:
        """Run ``block`` for one system call; it must return in all cases."""
        self.code.append((_JEQ, 0, len(block.code), number))
        self.code.extend(block.code)

    def packed(self) -> bytes:
        return b"".join(struct.pack("<HBBI", *one) for one in self.code)


def _errno(number: int) -> int:
    return _ERRNO | number


def _bits(argument: int, bits: int) -> _Program:
    """Refuse a call when an argument has any of these bits."""
    block = _Program()
    block.load(_ARGS + 8 * argument)
    block.when(_JSET, bits, _errno(_EPERM))
    block.give(_ALLOW)
    return block


def _created(flags: int, mode: int) -> _Program:
    """Refuse to create a set-uid file; ``mode`` has a meaning only then."""
    block = _Program()
    block.load(_ARGS + 8 * flags)
    block.unless(_JSET, _CREATE, _ALLOW)
    block.load(_ARGS + 8 * mode)
    block.when(_JSET, _SET_ID, _errno(_EPERM))
    block.give(_ALLOW)
    return block


def _terminal() -> _Program:
    block = _Program()
    # The kernel looks at the lower half of the request, and so does this.
    block.load(_ARGS + 8)
    block.when(_JEQ, _TIOCSTI, _errno(_EPERM))
    block.when(_JEQ, _TIOCLINUX, _errno(_EPERM))
    block.give(_ALLOW)
    return block


def _socket() -> _Program:
    block = _Program()
    block.load(_ARGS)
    for family in (_UNIX, _INET, _INET6):
        block.when(_JEQ, family, _ALLOW)
    block.unless(_JEQ, _NETLINK, _errno(_EAFNOSUPPORT))
    block.load(_ARGS + 16)
    block.unless(_JEQ, 0, _errno(_EAFNOSUPPORT))
    block.give(_ALLOW)
    return block


def _answer(action: int) -> _Program:
    block = _Program()
    block.give(action)
    return block


def _special(*, openat2: bool) -> dict[str, _Program]:
    blocks = {
        "clone": _bits(0, _NEW_NAMESPACES),
        "unshare": _bits(0, _NEW_NAMESPACES | _NEW_TIME),
        "chmod": _bits(1, _SET_ID),
        "fchmod": _bits(1, _SET_ID),
        "fchmodat": _bits(2, _SET_ID),
        "fchmodat2": _bits(2, _SET_ID),
        "creat": _bits(1, _SET_ID),
        "mknod": _bits(1, _SET_ID),
        "mknodat": _bits(2, _SET_ID),
        "open": _created(1, 2),
        "openat": _created(2, 3),
        "ioctl": _terminal(),
        "socket": _socket(),
        "socketpair": _socket(),
    }
    if not openat2:
        blocks["openat2"] = _answer(_errno(_ENOSYS))
    return blocks


def program(
    machine: str | None = None,
    *,
    counted: bool,
    on_nosuid: bool = True,
    sockets: bool = True,
) -> bytes:
    """Make the filter for a machine (default: this one).

    ``counted``: a control group counts the run's memory. ``on_nosuid``: what the
    task can write lies on mounts where set-uid has no effect; else ``openat2``,
    whose mode a filter can't see, is reported as absent. ``sockets``: for a level
    without a network namespace; if not, only pairs of them can be made.
    """
    machine = machine or os.uname().machine
    if machine not in NUMBERS:
        raise errors.MissingSafeguard(
            f"no system call filter for {machine}: only for {', '.join(NUMBERS)}"
        )
    numbers = NUMBERS[machine]
    made = _Program()
    made.load(_ARCH_AT)
    made.unless(_JEQ, _ARCH[machine], _KILL)
    made.load(_NR)
    if machine == "x86_64":
        made.when(_JGE, _X32, _errno(_ENOSYS))
    blocks = _special(openat2=on_nosuid)
    if not sockets:
        blocks["socket"] = _answer(_errno(_EAFNOSUPPORT))
    for name, block in blocks.items():
        if name in numbers:
            made.of(numbers[name], block)
    refused = REFUSED if counted else REFUSED | UNCOUNTED
    for names, action in ((refused, _EPERM), (ABSENT, _ENOSYS)):
        for number in sorted(numbers[name] for name in names if name in numbers):
            made.when(_JEQ, number, _errno(action))
    made.give(_ALLOW)
    return made.packed()
