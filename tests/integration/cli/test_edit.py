"""`crony edit`, by options and in an editor, with a real service."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from crony.client import Client
from tests.integration.cli.conftest import Shell
from tests.integration.cli.test_terminal import on_terminal

pytestmark = pytest.mark.xdist_group("cli-edit")

#: An editor: it runs a line of Python with the schedule as ``it``.
_EDITOR = """
import json, sys
line, path = sys.argv[1:]
it = json.load(open(path))
exec(line)
open(path, "w").write(it if isinstance(it, str) else json.dumps(it))
"""


def editor(line: str) -> str:
    return shlex.join([sys.executable, "-c", _EDITOR, line])


def test_options_change_what_they_say_and_nothing_else(
    crony: Shell, client: Client
) -> None:
    crony(
        *("add", "e", "--cron", "@daily", "--label", "a=1", "--label", "b=2"),
        *("--retries", "2", "--env", "LEVEL=info", "--", "date"),
    ).ok()
    out = crony(
        *("edit", "e", "--every", "7m", "--deadline", "1h", "--backoff", "5s"),
        *("--set", "labels.b=null", "--shell", "date | wc"),
    ).ok()
    assert "Every 7 minutes" in out
    found = client.get_schedule("e")
    assert (found["every"], "cron" in found) == ("7m", False)
    assert found["labels"] == {"a": "1"}
    assert found["retries"] == {"max": 2, "backoff": "5s"}
    task = found["task"]
    assert isinstance(task, dict)
    assert (task["command"], task["env"]) == ("date | wc", {"LEVEL": "info"})
    crony("edit", "e", "--script", "-", stdin="#!/bin/sh\ndate\n").ok()
    task = client.get_schedule("e")["task"]
    assert isinstance(task, dict)
    assert (task["script"], "command" in task) == ("#!/bin/sh\ndate\n", False)


def test_an_editor_gets_the_definition_and_its_text_is_saved(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    crony("add", "text", "--every", "5m", "--", "date").ok()
    copy = tmp_path / "copy"
    line = f"open({str(copy)!r}, 'w').write(json.dumps(it)); it['every'] = '9m'"
    out = crony("edit", "text", EDITOR=editor(line), TMPDIR=str(tmp_path)).ok()
    assert "Every 9 minutes" in out
    assert client.get_schedule("text")["every"] == "9m"
    shown = json.loads(copy.read_text())
    assert shown["task"]["command"] == ["date"]
    assert not {"id", "policy", "state", "last_run"} & set(shown)
    assert list(tmp_path.glob("crony-*")) == []


def test_an_editor_may_rename(crony: Shell, client: Client) -> None:
    crony("add", "old-name", "--every", "5m", "--", "date").ok()
    crony("edit", "old-name", EDITOR=editor("it['name'] = 'new-name'")).ok()
    assert client.get_schedule("new-name")["every"] == "5m"
    assert crony("show", "old-name").code == 3


def test_an_unchanged_text_changes_nothing(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    crony("add", "same", "--every", "5m", "--", "date").ok()
    done = crony("edit", "same", EDITOR="true", TMPDIR=str(tmp_path))
    assert (done.code, "nothing was changed" in done.err) == (0, True)
    assert client.get_schedule("same")["revision"] == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("it['cron'] = '61 * * * *'; del it['every']", 1, "minute 61 is out of"),
        ("it = 'no json'", 2, "is not JSON"),
        ("it = '[]'", 2, "one JSON object"),
    ],
)
def test_a_text_that_is_refused_is_kept_for_its_author(
    crony: Shell, tmp_path: Path, line: str, code: int, said: str
) -> None:
    crony("add", "kept", "--every", "5m", "--", "date").ok()
    done = crony("edit", "kept", EDITOR=editor(line), TMPDIR=str(tmp_path))
    assert done.code == code
    assert said in done.err
    (kept,) = tmp_path.iterdir()
    assert str(kept) in done.err
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_change_of_somebody_else_meanwhile_is_not_undone(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    crony("add", "both", "--every", "5m", "--", "date").ok()
    other = [sys.executable, "-m", "crony.cli.main", "edit", "both", "--deadline", "1h"]
    line = f"import subprocess; subprocess.run({other!r}); it['every'] = '6m'"
    done = crony("edit", "both", EDITOR=editor(line), TMPDIR=str(tmp_path))
    assert done.code == 1
    assert "changed meanwhile" in done.err
    found = client.get_schedule("both")
    assert (found["every"], found["deadline"]) == ("5m", "1h")
    assert len(list(tmp_path.iterdir())) == 1


def test_on_a_terminal_faults_are_shown_and_may_be_mended(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    crony("add", "mended", "--every", "5m", "--", "date").ok()
    # The first text is wrong, the second right.
    line = "it['every'] = '8m' if it['every'] == 'soon' else 'soon'"
    out = on_terminal(
        crony,
        *("edit", "mended"),
        typed="y\n",
        columns=100,
        EDITOR=editor(line),
        TMPDIR=str(tmp_path),
    ).ok()
    assert 'every: "soon" is not' in out
    assert "Edit it again?" in out
    assert client.get_schedule("mended")["every"] == "8m"
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_faults_may_be_left(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    crony("add", "left", "--every", "5m", "--", "date").ok()
    done = on_terminal(
        crony,
        *("edit", "left"),
        typed="n\n",
        columns=100,
        EDITOR=editor("it['every'] = 'soon'"),
        TMPDIR=str(tmp_path),
    )
    assert done.code == 1
    assert done.out.count('every: "soon" is not') == 1
    assert "is kept in" in done.out
    assert client.get_schedule("left")["every"] == "5m"
