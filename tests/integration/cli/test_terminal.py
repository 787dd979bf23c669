"""What a terminal gets that a pipe does not: colours, fitting tables, questions."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from crony.client import Client
from tests.integration.cli.conftest import Done, Shell

pytestmark = pytest.mark.xdist_group("cli-terminal")


def on_terminal(
    crony: Shell, *argv: str, typed: str = "", columns: int = 60, **environ: str
) -> Done:
    """Run the client on a terminal of its own; what it wrote is ``out``."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "crony.cli.main", *argv],
        env={**crony.environ, "TERM": "xterm", **environ},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    written = b""
    while True:
        try:
            written += os.read(ours, 65536)
        except OSError:
            # The other end is closed: the program has ended.
            break
    os.close(ours)
    return Done(process.wait(60), written.decode(), "")


def test_a_table_fits_the_terminal_and_has_colours(crony: Shell) -> None:
    label = "a-name-that-is-much-longer-than-half-of-the-terminal"
    crony("add", label, "--cron", "30 2 * * 1-5", "--", "date").ok()
    out = on_terminal(crony, "ls").ok()
    assert "\x1b[" in out
    lines = [line for line in out.splitlines() if "a-name" in line]
    assert lines
    assert label not in lines[0]
    assert label in crony("ls").ok()


def test_a_terminal_is_asked_before_something_is_removed(
    crony: Shell, client: Client
) -> None:
    crony("add", "asked", "--every", "1h", "--", "date").ok()
    kept = on_terminal(crony, "rm", "asked", typed="n\n")
    assert kept.code == 130
    assert "Remove asked?" in kept.out
    assert client.get_schedule("asked")["name"] == "asked"
    on_terminal(crony, "rm", "asked", typed="y\n").ok()
    assert crony("show", "asked").code == 3


def test_yes_is_not_asked_again(crony: Shell) -> None:
    crony("add", "sure", "--every", "1h", "--", "date").ok()
    assert "?" not in on_terminal(crony, "rm", "--yes", "sure").ok()


def test_a_long_import_shows_how_far_it_is(crony: Shell, tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_text("".join(f"{n} 3 * * * job {n}\n" for n in range(40)))
    out = on_terminal(crony, "crontab", "import", str(path), columns=100).ok()
    assert "Importing" in out
    assert "100%" in out
    assert "40 new" in out
    assert "Importing" not in crony("crontab", "import", str(path)).ok()


def test_what_a_schedule_is_called_cannot_play_with_the_terminal(crony: Shell) -> None:
    crony("add", "evil", "--every", "1h", "--", "echo", "\x1b[2Jgone").ok()
    out = on_terminal(crony, "show", "evil", columns=200).ok()
    assert "\\x1b[2Jgone" in out
    assert "\x1b[2J" not in out


def test_a_move_shows_how_far_it_is_on_a_terminal_alone(
    crony: Shell, tmp_path: Path
) -> None:
    crony("add", "moved", "--every", "1h", "--", "date").ok()
    path, store = tmp_path / "house.ndjson", f"sqlite:///{tmp_path}/new/crony.db"
    out = on_terminal(crony, "export", "-o", str(path), columns=100).ok()
    assert "Exporting" in out
    assert " schedules, " in out
    argv = ("import", str(path), "--storage", store)
    assert "Importing" in on_terminal(crony, *argv, columns=100).ok()
    assert "Importing" not in (again := crony(*argv)).out + again.err
