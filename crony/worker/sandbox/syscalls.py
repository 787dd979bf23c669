"""Numbers of the system calls that are known here by name.

The filter needs them, and whoever changes what one thread may do: the C library's
own functions change all threads of a process.

They differ between machines and never change on one; a call that a machine does
not have is missing from its table.
"""

_X86_64 = """
    _sysctl=156 acct=163 add_key=248 adjtimex=159 bpf=321 capget=125
    capset=126 chmod=90
    chroot=161 clock_adjtime=305 clock_settime=227 clone=56 clone3=435
    creat=85 create_module=174 delete_module=176 fanotify_init=300
    fchmod=91 fchmodat=268 fchmodat2=452 finit_module=313 fsconfig=431
    fsmount=432 fsopen=430 fspick=433 init_module=175 io_uring_enter=426
    io_uring_register=427 io_uring_setup=425 ioctl=16 ioperm=173 iopl=172
    kcmp=312 kexec_file_load=320 kexec_load=246 keyctl=250
    lookup_dcookie=212 memfd_create=319 memfd_secret=447 mknod=133
    mknodat=259 mount=165 mount_setattr=442 move_mount=429
    name_to_handle_at=303 nfsservctl=180 open=2 open_by_handle_at=304
    open_tree=428 open_tree_attr=467 openat=257 openat2=437
    perf_event_open=298 pidfd_getfd=438 pivot_root=155
    process_vm_readv=310 process_vm_writev=311 ptrace=101 quotactl=179
    quotactl_fd=443 reboot=169 request_key=249 setdomainname=171
    setgroups=116 sethostname=170 setns=308 setresgid=119
    setresuid=117 settimeofday=164 shmget=29 socket=41
    socketpair=53 swapoff=168 swapon=167 syslog=103 umount2=166
    unshare=272 userfaultfd=323 vhangup=153
"""

_AARCH64 = """
    acct=89 add_key=217 adjtimex=171 bpf=280 capget=90 capset=91
    chroot=51 clock_adjtime=266
    clock_settime=112 clone=220 clone3=435 delete_module=106
    fanotify_init=262 fchmod=52 fchmodat=53 fchmodat2=452 finit_module=273
    fsconfig=431 fsmount=432 fsopen=430 fspick=433 init_module=105
    io_uring_enter=426 io_uring_register=427 io_uring_setup=425 ioctl=29
    kcmp=272 kexec_file_load=294 kexec_load=104 keyctl=219
    lookup_dcookie=18 memfd_create=279 memfd_secret=447 mknodat=33
    mount=40 mount_setattr=442 move_mount=429 name_to_handle_at=264
    nfsservctl=42 open_by_handle_at=265 open_tree=428 open_tree_attr=467
    openat=56 openat2=437 perf_event_open=241 pidfd_getfd=438
    pivot_root=41 process_vm_readv=270 process_vm_writev=271 ptrace=117
    quotactl=60 quotactl_fd=443 reboot=142 request_key=218
    setdomainname=162 setgroups=159 sethostname=161 setns=268
    setresgid=149 setresuid=147 settimeofday=170
    shmget=194 socket=198 socketpair=199 swapoff=225 swapon=224 syslog=116
    umount2=39 unshare=97 userfaultfd=282 vhangup=58
"""


def _table(text: str) -> dict[str, int]:
    pairs = (entry.split("=") for entry in text.split())
    return {name: int(number) for name, number in pairs}


NUMBERS = {"x86_64": _table(_X86_64), "aarch64": _table(_AARCH64)}
