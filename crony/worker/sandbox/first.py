"""The first process of a sandbox: it starts the gate and reports how the task ended.

A shell knows of a task's end only ``$?``, in which 130 is an exit code as well as a
SIGINT. So this is a program of its own that passes on the status as the kernel gave
it. No host has such a program, and a compiler is not at hand when a worker is
installed: like the filter, its few instructions are put together here. In C it is ::

    prctl(PR_SET_DUMPABLE, 0);          /* the task can't look into its descriptors */
    if ((child = fork()) == 0) {
        execve(argv[1], argv + 1, envp);
        _exit(126);
    }
    if (child < 0)
        _exit(126);
    while (wait(&status) != child)      /* orphans of the task come by, too */
        ;
    write(4, &status, sizeof status);   /* gate.STATUS */
    _exit(0);
"""

import platform
import struct

from crony import errors

_X86_64 = """
4989e4       mov   r12, rsp
6a04         push  4                # PR_SET_DUMPABLE
5f           pop   rdi
31f6         xor   esi, esi
b89d000000   mov   eax, 157         # prctl
0f05         syscall
6a39         push  57               # fork
58           pop   rax
0f05         syscall
85c0         test  eax, eax
7427         je    child
783c         js    fail
89c3         mov   ebx, eax
50           push  rax              # room for the status
6aff         push  -1               # wait: any child
5f           pop   rdi
4889e6       mov   rsi, rsp
31d2         xor   edx, edx
4531d2       xor   r10d, r10d
6a3d         push  61               # wait4
58           pop   rax
0f05         syscall
39d8         cmp   eax, ebx
75ec         jne   wait
6a04         push  4                # the descriptor, and the size
5f           pop   rdi
89fa         mov   edx, edi
6a01         push  1                # write
58           pop   rax
0f05         syscall
31ff         xor   edi, edi
eb1a         jmp   leave
498b7c2410   mov   rdi, [r12+16]    # child: argv[1]
498d742410   lea   rsi, [r12+16]    # argv + 1
498b1424     mov   rdx, [r12]       # argc
488d14d6     lea   rdx, [rsi+rdx*8] # envp
6a3b         push  59               # execve
58           pop   rax
0f05         syscall
6a7e         push  126              # fail
5f           pop   rdi
b8e7000000   mov   eax, 231         # leave: exit_group
0f05         syscall
"""

_AARCH64 = """
f3030091     mov   x19, sp
800080d2     mov   x0, 4            # PR_SET_DUMPABLE
010080d2     mov   x1, 0
e81480d2     mov   x8, 167          # prctl
010000d4     svc   0
200280d2     mov   x0, 17           # SIGCHLD
010080d2     mov   x1, 0
020080d2     mov   x2, 0
030080d2     mov   x3, 0
040080d2     mov   x4, 0
881b80d2     mov   x8, 220          # clone
010000d4     svc   0
60020034     cbz   w0, child
0003f837     tbnz  w0, 31, fail     # negative
f403002a     mov   w20, w0
ff4300d1     sub   sp, sp, 16       # room for the status
00008092     mov   x0, -1           # wait: any child
e1030091     mov   x1, sp
020080d2     mov   x2, 0
030080d2     mov   x3, 0
882080d2     mov   x8, 260          # wait4
010000d4     svc   0
1f00146b     cmp   w0, w20
21ffff54     b.ne  wait
800080d2     mov   x0, 4
e1030091     mov   x1, sp
820080d2     mov   x2, 4
080880d2     mov   x8, 64           # write
010000d4     svc   0
000080d2     mov   x0, 0
08000014     b     leave
600a40f9     ldr   x0, [x19, 16]    # child: argv[1]
61420091     add   x1, x19, 16      # argv + 1
620240f9     ldr   x2, [x19]        # argc
220c028b     add   x2, x1, x2, lsl 3  # envp
a81b80d2     mov   x8, 221          # execve
010000d4     svc   0
c00f80d2     mov   x0, 126          # fail
c80b80d2     mov   x8, 94           # leave: exit_group
010000d4     svc   0
"""

#: Machine -> its number in an ELF header, and the instructions.
_MACHINES = {"x86_64": (62, _X86_64), "aarch64": (183, _AARCH64)}

_ELF = struct.Struct("<4s5B7xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_HEADERS = _ELF.size + 2 * _SEGMENT.size
_ADDRESS = 0x400000
_LOADED, _STACK = 1, 0x6474E551
_READ_WRITE, _READ_EXECUTE = 6, 5


def program(machine: str | None = None) -> bytes:
    """Give the program as an ELF file for this machine."""
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        raise errors.MissingSafeguard(f"no first process is known for {machine}")
    number, listing = _MACHINES[machine]
    code = b"".join(
        bytes.fromhex(line.split()[0]) for line in listing.strip().splitlines()
    )
    size = _HEADERS + len(code)
    return b"".join(
        (
            # 64 bits, little-endian, version 1, System V; an executable.
            _ELF.pack(
                *(b"\x7fELF", 2, 1, 1, 0, 0, 2, number, 1, _ADDRESS + _HEADERS),
                *(_ELF.size, 0, 0, _ELF.size, _SEGMENT.size, 2, 0, 0, 0),
            ),
            _SEGMENT.pack(
                *(_LOADED, _READ_EXECUTE, 0, _ADDRESS, _ADDRESS, size, size, 0x10000),
            ),
            # Without this the stack could be executed.
            _SEGMENT.pack(_STACK, _READ_WRITE, 0, 0, 0, 0, 0, 16),
            code,
        )
    )
