"""By what the watchdog finds every process of its worker, even an unknown one."""

import secrets
from dataclasses import dataclass, field

from crony.worker.sandbox import watchdog


@dataclass(frozen=True, slots=True)
class Leash:
    """A word in the environments of a worker's sandboxes, and a pipe they hold.

    The word is no secret and opens nothing. bubblewrap clears it before the task;
    where there is no bubblewrap the task has it too, so that what it leaves behind
    is found by it.
    """

    word: str = field(default_factory=lambda: secrets.token_hex(16))
    #: The pipe's write end: the watchdog sees when nobody has it any more.
    fd: int | None = None

    def mark(self, run_key: str) -> str:
        """Give the variable of one run, as it stands in an environment."""
        return f"{watchdog.MARK}={self.word}.{run_key}"
