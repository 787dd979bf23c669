"""The programs as processes and as a table: what starts fast, and what is listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import click
import pytest

from crony.cli.commands import COMMANDS, crony
from crony.cli.main import OVERVIEW, WIDTH
from crony.cli.reference import overview, page
from crony.testing.serving import serving

ROOT = Path(__file__).parents[3]
OF_THE_SERVICE = {"pydantic", "sqlalchemy", "alembic", "falcon", "croniter", "gunicorn"}
OF_REQUESTS = {"httptools", "http", "ssl", "socket", "urllib3", "requests"}
OF_TERMINALS = {"rich"}
#: What TLS and the standard library's client of HTTP bring.
OF_TLS = {"base64", "email", "http", "ssl"}
#: What few commands need, if any, and what takes longer than a request to import.
OF_FEW = {
    "argparse",
    "asyncio",
    "configparser",
    "dataclasses",
    "difflib",
    "hashlib",
    "logging",
    "shutil",
    "stringprep",
    "subprocess",
    "tempfile",
    "zoneinfo",
}

_IMPORTS = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as exc:
    code = exc.code
print("\\n" + " ".join(sorted({name.partition(".")[0] for name in sys.modules})))
sys.exit(code)
"""


def imported_by(*argv: str, home: Path, key: str = "") -> tuple[int, set[str]]:
    """Run a program; return its exit code and the packages it imported."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS, *argv],
        env={"PATH": os.environ["PATH"], "CRONY_HOME": str(home), "CRONY_KEY": key},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.returncode, set(done.stdout.splitlines()[-1].split())


class OneSchedule(BaseHTTPRequestHandler):
    """Answers whatever is asked with a page of one schedule."""

    def do_GET(self) -> None:
        schedule = {
            "name": "backup",
            "state": "active",
            "trigger_description": "Every 5 minutes",
            "next_run_at": "2026-01-01T00:00:00.000Z",
        }
        body = json.dumps({"items": [schedule], "next": None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_overview_imports_not_even_click(asked: str, tmp_path: Path) -> None:
    code, names = imported_by("crony.cli.main", asked, home=tmp_path)
    assert code == 0
    # Of an interpreter that prints its modules and the runner of them, nothing else.
    assert names & {"click", "typing", "json", "shutil", "dataclasses"} == set()


@pytest.mark.parametrize(
    "argv",
    [
        ("main", "ls", "--help"),
        ("main", "--version"),
        ("api", "--help"),
        ("worker", "--help"),
        ("worker", "run", "--help"),
    ],
)
def test_help_imports_nothing_heavy(argv: tuple[str, ...], tmp_path: Path) -> None:
    program, *said = argv
    code, names = imported_by(f"crony.cli.{program}", *said, home=tmp_path)
    assert code == 0
    assert "click" in names
    assert names & (OF_THE_SERVICE | OF_REQUESTS | OF_TERMINALS) == set()


def test_overview_is_what_click_draws() -> None:
    assert Path(OVERVIEW).read_text(encoding="ascii") == overview(), (
        "write it again: python -m crony.cli.reference overview "
        "> crony/cli/overview.txt"
    )


def test_overview_is_cut_for_a_narrow_terminal(tmp_path: Path) -> None:
    def drawn(columns: int) -> str:
        return subprocess.run(
            [sys.executable, "-m", "crony.cli.main", "--help"],
            env={"PATH": os.environ["PATH"], "COLUMNS": str(columns)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    assert drawn(WIDTH) == drawn(WIDTH + 1) == overview()
    narrow = drawn(WIDTH - 20)
    assert max(map(len, narrow.splitlines())) <= WIDTH - 20
    assert narrow.split() == overview().split()


def test_overview_that_nobody_reads_is_no_crash() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "crony.cli.main", "--help"],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_overview_that_is_not_there_is_drawn() -> None:
    hidden = "import crony.cli.main as m; m.OVERVIEW = 'none'; m.main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-c", hidden],
        env={"PATH": os.environ["PATH"], "COLUMNS": str(WIDTH)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, overview(), "")


def test_overview_without_a_stdout_is_no_crash() -> None:
    done = subprocess.run(
        [
            *("sh", "-c", 'exec "$@" >&-', "sh"),
            *(sys.executable, "-m", "crony.cli.main", "--help"),
        ],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_completion_of_commands_imports_none_of_them() -> None:
    said = (
        "import sys; from crony.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", said],
        env={
            "PATH": os.environ["PATH"],
            "_CRONY_COMPLETE": "bash_complete",
            "COMP_WORDS": "crony r",
            "COMP_CWORD": "1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    named = [line.partition(",")[2] for line in done.stdout.splitlines()]
    assert named == [name for name in COMMANDS if name.startswith("r")]
    own = {name for name in done.stderr.split() if name.startswith("crony.cli.")}
    assert own & {f"crony.cli.{place.module}" for place in COMMANDS.values()} == set()


def test_client_never_imports_what_only_the_service_needs(tmp_path: Path) -> None:
    argv = ["crony.cli.main", "ls", "--api", "http://127.0.0.1:1"]
    code, names = imported_by(*argv, home=tmp_path)
    assert code == 5
    assert "httptools" in names
    assert names & (OF_THE_SERVICE | OF_TERMINALS | {"requests", "urllib3"}) == set()


@pytest.mark.parametrize(
    "said",
    [
        "ls",
        "show backup",
        "run backup",
        "runs",
        "logs backup",
        "add backup --every 5m -- date",
        "stats",
    ],
)
def test_a_command_imports_nothing_that_only_others_need(
    said: str, tmp_path: Path
) -> None:
    argv = ["crony.cli.main", *said.split(), "--api", "http://127.0.0.1:1"]
    code, names = imported_by(*argv, home=tmp_path)
    assert code == 5
    assert "httptools" in names
    assert names & OF_FEW == set()


def test_a_list_that_was_answered_imports_nothing_to_print_it(tmp_path: Path) -> None:
    with serving(OneSchedule) as url:
        argv = ["crony.cli.main", "ls", "--api", url]
        code, names = imported_by(*argv, home=tmp_path, key="crony_test")
    assert code == 0
    assert names & (OF_THE_SERVICE | OF_TERMINALS | OF_FEW | OF_TLS) == set()


def test_a_command_looks_for_no_garbage_in_what_it_imports(tmp_path: Path) -> None:
    said = (
        "import gc, sys; from crony.cli.main import main\n"
        "seen = []\n"
        "gc.callbacks.append(lambda phase, _: seen.append(phase))\n"
        "try: main(['ls', '--api', 'http://127.0.0.1:1'])\n"
        "except SystemExit: print(len(seen), gc.get_freeze_count(), len(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", said],
        env={"PATH": os.environ["PATH"], "CRONY_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    looked, frozen, modules = map(int, done.stdout.split())
    assert looked == 0
    # All that is there at the end is out of the last search: modules, and far more.
    assert frozen > modules


def test_worker_never_imports_what_only_the_service_needs(tmp_path: Path) -> None:
    argv = ["crony.cli.worker", "register", "--api", "http://127.0.0.1:1"]
    key = tmp_path / "key"
    key.write_text("crony_" + "a" * 43)
    code, names = imported_by(*argv, "--key-file", str(key), home=tmp_path / "home")
    assert code == 5
    assert names & (OF_THE_SERVICE | {"requests", "urllib3"}) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_list_of_commands_says_what_the_command_itself_says(name: str) -> None:
    command = crony.get_command(click.Context(crony, **crony.context_settings), name)
    assert command is not None
    assert command.name == name
    assert command.help
    assert COMMANDS[name].meaning.endswith(".")


def test_reference_page_is_current() -> None:
    path = ROOT / "docs" / "reference" / "cli.md"
    assert path.read_text(encoding="utf-8") == page(), (
        "write it again: python -m crony.cli.reference > docs/reference/cli.md"
    )


def test_every_command_and_option_is_in_the_reference() -> None:
    text = page()
    for name in COMMANDS:
        assert f"### `crony {name}`" in text
    for word in ("`crony-worker run`", "`--lease-ttl`", "`--prune`", "`--no-run`"):
        assert word in text
