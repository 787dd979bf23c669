"""Programs are started as one expects of posix_spawn(3)."""

from __future__ import annotations

import os
import signal

import pytest

from crony.worker.sandbox.spawning import spawn


def said(*argv: str, env: dict[str, str] | None = None) -> str:
    """Return what a program prints, once it has ended well."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawn(argv, env=env or {}, fds={1: theirs})
    finally:
        os.close(theirs)
    with open(ours, encoding="utf-8") as file:
        text = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text


def test_words_and_environment_are_those_that_were_given() -> None:
    script = 'printf "%s|" "$@" "$ONE"'
    assert said("/bin/sh", "-c", script, "sh", "a b", "ü", env={"ONE": "1 2"}) == (
        "a b|ü|1 2|"
    )


def test_a_child_leads_a_session_of_its_own() -> None:
    session = said("/bin/sh", "-c", 'cut -d " " -f 6 /proc/$$/stat').strip()
    assert int(session) != os.getsid(0)


def test_a_child_gets_no_other_descriptor() -> None:
    extra = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    listed = said("/bin/sh", "-c", "ls /proc/$$/fd").split()
    os.close(extra)
    assert str(extra) not in listed


def test_signals_that_python_ignores_are_not_ignored_in_a_child() -> None:
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
    status = said("/bin/cat", "/proc/self/status")
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    assert not int(ignored.split()[1], 16) & 1 << (signal.SIGPIPE - 1)


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        spawn(["/no/such/program"], env={}, fds={})


def test_a_nul_character_is_an_error_and_nothing_is_cut_off() -> None:
    with pytest.raises(ValueError, match="null"):
        spawn(["/bin/echo", "a\0b"], env={}, fds={})
