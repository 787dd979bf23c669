"""The profile: what a sandboxed task sees, as arguments of bubblewrap."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from crony.worker.sandbox import gate
from crony.worker.sandbox.places import Places
from crony.worker.sandbox.values import Command, Limits

WORKSPACE = "/workspace"
PATH = "/usr/local/bin:/usr/bin:/bin"

#: Inside, everybody is this one; on the host it is the task uid or the worker's.
_UID = "1000"
PASSWD = f"""root:x:0:0:root:/root:/usr/sbin/nologin
crony:x:{_UID}:{_UID}:crony:{WORKSPACE}:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
""".encode()
GROUP = f"""root:x:0:
crony:x:{_UID}:
nogroup:x:65534:
""".encode()

_ISOLATION = (
    f"--unshare-user --uid {_UID} --gid {_UID} --disable-userns "
    "--unshare-pid --as-pid-1 --unshare-ipc --unshare-uts --unshare-cgroup-try "
    "--hostname crony --die-with-parent --new-session --cap-drop ALL --clearenv"
).split()

_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


def environment(command: Command, *, home: str) -> dict[str, str]:
    """Give the whole environment of a task."""
    own = {"PATH": PATH, "HOME": home, "LANG": "C.UTF-8", "USER": "crony"}
    return own | dict(command.env) | {"CRONY_PROGRESS_FD": str(gate.PROGRESS)}


#: What the programs before the task have.
_OWN_ENVIRONMENT = environment(Command(argv=()), home=WORKSPACE)


def host_root() -> list[str]:
    """Give the arguments that show the host's programs, read-only."""
    made = ["--ro-bind", "/usr", "/usr"]
    for link in _LINKS:
        if os.path.islink(link):
            made += ["--symlink", os.readlink(link), link]
        elif os.path.isdir(link):
            made += ["--ro-bind", link, link]
    return made


def _etc(folder: Path, places: Places) -> list[str]:
    """Give the arguments that show ``/etc``: whole, unless more is asked for in it."""
    if not any(place.path.startswith("/etc/") for place in places):
        return ["--ro-bind", str(folder), "/etc"]
    made = []
    for entry in sorted(folder.iterdir()):
        made += ["--ro-bind", str(entry), f"/etc/{entry.name}"]
    return made


def options(
    limits: Limits,
    *,
    workdir: str,
    root: Sequence[str],
    etc: Path,
    runtime: Sequence[str],
    places: Places,
    data: Mapping[str, tuple[int, int]],
    new_network: bool,
) -> list[str]:
    """Give bubblewrap's options for one run.

    ``workdir``: where it starts. ``root``: what ``host_root`` gave, found once.
    ``etc``: the folder that is its ``/etc``. ``runtime``: directories of the operator's
    interpreter. ``places``: the checked paths of the host. ``data``: path -> descriptor
    and mode of a file made from that descriptor. ``new_network``: it is to make an
    empty network, and does not start in one.
    """
    made = [*_ISOLATION]
    if new_network:
        made.append("--unshare-net")
    for name, value in _OWN_ENVIRONMENT.items():
        made += ["--setenv", name, value]
    made += root
    made += _etc(etc, places)
    made += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    for path in ("/dev/shm", "/tmp"):
        made += ["--perms", "1777", "--size", str(limits.disk), "--tmpfs", path]
    made += ["--perms", "0700", "--size", str(limits.disk), "--tmpfs", WORKSPACE]
    # After the file systems above, for an interpreter may well live below /tmp.
    for path in runtime:
        made += ["--ro-bind-try", path, path]
    for place in places:
        bind = "--bind" if place.writable else "--ro-bind"
        made += [bind, place.source, place.path]
    for path, (fd, mode) in data.items():
        made += ["--perms", f"{mode & 0o777:04o}", "--file", str(fd), path]
    made += ["--chdir", workdir]
    return [*made, "--remount-ro", "/dev", "--remount-ro", "/"]


def workdir(command: Command, *, workspace: str = WORKSPACE) -> str:
    """Give the directory in which the task starts."""
    return str(Path(workspace) / (command.workdir or ""))
