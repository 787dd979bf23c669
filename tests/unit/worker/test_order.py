"""What a gate is told arrives as it was given, whatever it is."""

import json
import os
import sys

import pytest

from crony import errors
from crony.worker.sandbox.order import ORDER, READ, order
from crony.worker.sandbox.pipes import memory_file
from crony.worker.sandbox.spawning import spawn

_SHOW = """
import json, os, sys
print(json.dumps([sys.argv[1:], dict(os.environ)]))
"""


def told(argv: list[str], env: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Give an order to a real shell; return what the program it becomes was given."""
    given = memory_file(order((sys.executable, "-I", "-c", _SHOW, *argv), env))
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawn(
            ["/bin/sh", "-c", f'{READ}\nexec "$@"', "gate"],
            env={"PATH": "/usr/bin:/bin"},
            fds={ORDER: given, 1: theirs},
        )
    finally:
        os.close(given)
        os.close(theirs)
    with open(ours, encoding="ascii") as file:
        words, environment = json.load(file)
    assert os.waitpid(pid, 0)[1] == 0
    return words, environment


@pytest.mark.parametrize(
    "word",
    [
        *("", " ", "a b", "$HOME", "`id`", "'", "''", '"', "\\", "\\n", "a\nb", "\n"),
        *("-n", "--", "*", "~", "#", ";", "&", "ü", "\udcff", "\x01\x7f", "x" * 60_000),
        "".join(map(chr, range(1, 256))),
        os.fsdecode(bytes(range(1, 256))),
    ],
)
def test_words_and_values_arrive_unchanged(word: str) -> None:
    words, environment = told([word, "last"], {"VALUE": word})
    assert words == [word, "last"]
    assert environment["VALUE"] == word


@pytest.mark.parametrize(
    "name",
    [
        *("IFS", "OPTIND", "PPID", "UID", "PWD", "_", "RANDOM", "SHELLOPTS"),
        *("a.b", "1st", "with space", "$x", "-x", "ü", "new\nline"),
    ],
)
def test_a_variable_may_have_any_name(name: str) -> None:
    _, environment = told([], {"FIRST": "1", name: "a 'value'", "LAST": "2"})
    assert environment[name] == "a 'value'"
    assert (environment["FIRST"], environment["LAST"]) == ("1", "2")


def test_the_order_s_path_is_the_one_that_counts() -> None:
    _, environment = told([], {"PATH": "/nowhere"})
    assert environment["PATH"] == "/nowhere"


def test_nothing_else_gets_into_the_environment() -> None:
    _, environment = told(["word"], {"ONE": "1"})
    assert environment.keys() - {"PATH", "PWD", "LC_CTYPE"} == {"ONE"}


@pytest.mark.parametrize(
    ("argv", "env"), [(["true", "\ud800"], {}), (["true"], {"NAME": "\ud800"})]
)
def test_half_a_character_is_refused_by_its_name(
    argv: list[str], env: dict[str, str]
) -> None:
    with pytest.raises(errors.SandboxFailed, match=r"ud800.*half of one"):
        order(argv, env)
