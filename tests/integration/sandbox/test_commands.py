"""What a task is given, and how its end is reported, at every level."""

import json
import sys

import pytest

from tests.integration.sandbox.stand import Refused, Stand


@pytest.mark.parametrize("code", [0, 1, 126, 129, 130, 137, 141, 143, 255])
def test_exit_codes_are_reported_as_they_are(any_stand: Stand, code: int) -> None:
    result = any_stand.run("/bin/sh", "-c", f"exit {code}")
    assert (result.exit_code, result.signal) == (code, None)


@pytest.mark.parametrize(
    "name", ["KILL", "TERM", "INT", "PIPE", "ABRT", "USR1", "RTMIN"]
)
def test_signals_are_reported_by_name(any_stand: Stand, name: str) -> None:
    result = any_stand.run("/bin/sh", "-c", f"kill -{name} $$")
    assert (result.exit_code, result.signal) == (None, f"SIG{name}")


def test_a_program_that_is_not_there_ends_with_127(any_stand: Stand) -> None:
    result = any_stand.run("no-such-program")
    assert result.exit_code == 127
    assert "no-such-program" in result.err


def test_a_name_that_the_shell_knows_too_is_run_as_a_program(
    any_stand: Stand,
) -> None:
    assert any_stand.run("echo", "-n", "a", "b").out == "a b"
    assert any_stand.run("exit", "3").exit_code == 127


def test_arguments_arrive_unchanged(any_stand: Stand) -> None:
    odd = ["", "a b", "$HOME", "'\"", "-n", "--", "*", "new\nline", "ü"]
    result = any_stand.python("import json,sys; print(json.dumps(sys.argv[1:]))", *odd)
    assert json.loads(result.out) == odd


def test_stdin_is_what_was_given(any_stand: Stand) -> None:
    assert any_stand.run("/bin/cat", stdin="line\n" * 20_000).out == "line\n" * 20_000
    assert any_stand.run("/bin/cat").out == ""


def test_files_are_in_the_workspace_and_can_be_run(any_stand: Stand) -> None:
    result = any_stand.run(
        "./task", "x", files={"task": "#!/bin/sh\necho got $1; pwd; echo $HOME\n"}
    )
    got, where, home = result.out.splitlines()
    assert got == "got x"
    assert where == home


def test_a_workdir_is_relative_to_the_workspace(any_stand: Stand) -> None:
    assert any_stand.run("/bin/pwd", workdir="/usr").out == "/usr\n"


def test_the_environment_holds_only_what_was_given(any_stand: Stand) -> None:
    code = "import json,os; print(json.dumps(dict(os.environ)))"
    env = {"CRONY_RUN_ID": "run_1", "QUOTES": 'it\'s "$HOME" `x`\nand more'}
    seen = json.loads(any_stand.python(code, env=env).out)
    assert seen.items() >= env.items()
    known = {"PATH", "HOME", "LANG", "USER", "PWD", "LC_CTYPE", "CRONY_PROGRESS_FD"}
    # Where nothing else keeps a run together, the watchdog's mark is in it too.
    known |= set() if any_stand.level in {"full", "namespaces"} else {"CRONY_SANDBOX"}
    assert seen.keys() - env.keys() <= known


def test_progress_is_a_descriptor_of_its_own(any_stand: Stand) -> None:
    result = any_stand.run(
        "/bin/sh", "-c", 'echo "{\\"percent\\": 40}" >&"$CRONY_PROGRESS_FD"; echo out'
    )
    assert result.progress == '{"percent": 40}\n'
    assert result.out == "out\n"


def test_no_other_descriptor_is_open(any_stand: Stand) -> None:
    code = "import os; print([n for n in range(3, 4096) if ok(n)])"
    check = "import os\ndef ok(n):\n try: os.fstat(n); return True\n"
    check += " except OSError: return False\n"
    assert any_stand.python(check + code).out == "[5]\n"


def test_signals_have_their_default_action(any_stand: Stand) -> None:
    code = (
        "import signal; print([n for n in range(1, 32)"
        " if signal.getsignal(n) == signal.SIG_IGN])"
    )
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25), and nothing else.
    assert any_stand.python(code).out == "[13, 25]\n"
    assert any_stand.run("/bin/grep", "SigBlk", "/proc/self/status").out.endswith(
        "\t0000000000000000\n"
    )


def test_terminate_reaches_the_task_and_leaves_it_time(any_stand: Stand) -> None:
    code = (
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), exit(7)))\n"
        "print('here', flush=True)\n"
        "signal.pause()\n"
    )
    key = any_stand.prepare(sys.executable, "-c", code)
    any_stand.tell("release", key=key)
    assert any_stand.tell("read", key=key)["out"] == "here\n"
    any_stand.tell("terminate", key=key)
    result = any_stand.wait(key)
    assert (result.exit_code, result.out) == (7, "bye\n")


def test_terminate_right_after_the_release_is_not_lost(any_stand: Stand) -> None:
    for _ in range(10):
        key = any_stand.prepare("/bin/sleep", "60")
        any_stand.tell("release", key=key)
        any_stand.tell("terminate", key=key)
        assert any_stand.wait(key).signal == "SIGTERM"


def test_kill_ends_a_task_that_ignores_everything_else(any_stand: Stand) -> None:
    code = "trap '' TERM INT HUP; echo here; while :; do read line; done"
    key = any_stand.prepare("/bin/bash", "-c", code)
    any_stand.tell("release", key=key)
    any_stand.tell("read", key=key)
    any_stand.tell("terminate", key=key)
    any_stand.tell("kill", key=key)
    assert any_stand.wait(key).signal == "SIGKILL"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ({"limits": {"network": "host"}}, "network"),
        ({"limits": {"ro_paths": ["/etc"]}}, "/etc"),
        ({"limits": {"rw_paths": ["/tmp"]}}, "/tmp"),
        ({"limits": {"ro_paths": ["relative"]}}, "relative"),
        ({"files": {"../up": ""}}, "../up"),
        ({"files": {"a/b": ""}}, "a/b"),
        ({"env": {"A=B": ""}}, "A=B"),
    ],
)
def test_what_the_operator_does_not_allow_is_refused(
    any_stand: Stand, command: dict[str, object], word: str
) -> None:
    with pytest.raises(Refused, match=word):
        any_stand.prepare("/bin/true", **command)
