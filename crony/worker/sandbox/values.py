"""What goes into a sandbox and what comes out: plain frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

Network = Literal["none", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use; all of it is enforced, none of it is advice."""

    #: Bytes, for all processes of the run together.
    memory: int = 512 << 20
    #: Cores; 0.5 is half of one.
    cpu: float = 1.0
    #: Processes and threads.
    pids: int = 256
    #: Bytes of the workspace, and the same again of /tmp.
    disk: int = 256 << 20
    network: Network = "none"
    ro_paths: tuple[str, ...] = ()
    rw_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is executed, and everything it is given."""

    argv: tuple[str, ...]
    #: All of it: nothing of the worker's own environment is added.
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    #: Relative to the workspace, or a path inside the sandbox.
    workdir: str | None = None
    #: Name -> content and mode; written into the workspace before the start.
    files: Mapping[str, tuple[bytes, int]] = field(default_factory=dict)
    #: The program is executed before it is let go, and stands at the gate itself.
    stands: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What the operator of this host allows; a schedule can't widen it."""

    state_dir: Path
    allow_network_host: bool = False
    #: Paths at or below these may be asked for.
    allowed_ro: tuple[str, ...] = ()
    allowed_rw: tuple[str, ...] = ()
    #: Uids for the slots of a worker that is root; ``None``: found by itself.
    task_uids: range | None = None
    #: The interpreter of python tasks.
    python: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the task ended: ``exit_code`` or ``signal``, never both."""

    exit_code: int | None
    #: ``"SIGKILL"``; also for a task that never got as far as an exit.
    signal: str | None
    #: Something of the run was killed because the memory limit was reached.
    oom: bool
    #: ``None`` where it can't be measured.
    cpu: timedelta | None
    memory_peak: int | None
