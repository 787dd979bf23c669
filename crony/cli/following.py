"""Follow a run: its output as it comes, and its end."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from crony.cli import answers, output
from crony.model.state import TERMINAL
from crony.model.task import JsonObject

if TYPE_CHECKING:
    from crony.client import Client

#: Between two looks at a run that is waiting or between two attempts.
_PAUSE = 0.2


def follow_to_end(client: Client, run: str, *, quiet: bool = False) -> JsonObject:
    """Print what a run puts out until it is over; return it then."""
    seen = 0
    while True:
        found = client.get_run(run)
        over = answers.text(found, "state") in TERMINAL
        attempt = answers.text(found, "attempt")
        # A retried run has a log for each attempt; each is shown once.
        if not quiet and int(attempt or 0) > seen and (over or _runs(found)):
            seen = int(attempt)
            write(client.follow_log(run))
            continue
        if over:
            return found
        time.sleep(_PAUSE)


def _runs(run: JsonObject) -> bool:
    return answers.text(run, "state") in ("running", "stopping")


def write(chunks: Iterable[bytes]) -> None:
    """Write output as it comes: to a pipe as it is, to a terminal as text.

    SECURITY: on a terminal nothing of it may move the cursor; colours may stay.
    """
    if not sys.stdout.isatty():
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        return
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for chunk in chunks:
        sys.stdout.write(output.plain(decoder.decode(chunk)))
        sys.stdout.flush()
    sys.stdout.write(output.plain(decoder.decode(b"", final=True)))
    sys.stdout.flush()
