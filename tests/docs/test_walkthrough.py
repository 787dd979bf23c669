"""Every command that the documentation marks does what the page says."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crony.testing.servers.mongodb import MongoDb
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.servers.process import Server
from crony.testing.servers.redis import Redis
from tests.docs.follow import follow
from tests.docs.walkthrough import Step, is_walked, steps

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "README.rst", *(ROOT / "docs").rglob("*.md"))
    if "_build" not in path.parts and is_walked(path.read_text(encoding="utf-8"))
)
USUAL = "127.0.0.1:8640"


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def crony_up(folder: Path, **more: str) -> Iterator[dict[str, str]]:
    """Start what ``make run`` starts; yield the environment of a second terminal.

    Whoever opens one has seen a first run end. ``more`` are variables beside.
    """
    address = free_address()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CRONY_API_BIND": address,
        "CRONY_API_URL": f"http://{address}",
        **more,
    }
    with subprocess.Popen(
        [BIN / "crony", "up"],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        said: list[str] = []
        is_up = threading.Event()

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                # By then there is a worker, which pages take for granted.
                if re.search(r"\bhello +succeeded\b", line):
                    is_up.set()
            is_up.set()

        reader = threading.Thread(target=listen)
        reader.start()
        try:
            assert is_up.wait(60), "crony up said nothing of use:\n" + "".join(said)
            assert process.poll() is None, "crony up ended:\n" + "".join(said)
            yield environ
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            reader.join()


def folder_like_a_clone(folder: Path) -> Path:
    (folder / ".venv").mkdir(parents=True)
    (folder / ".venv" / "bin").symlink_to(BIN)
    return folder


def test_pages_that_a_newcomer_follows_are_among_those_that_run() -> None:
    assert Path("README.rst") in PAGES
    assert Path("docs/tutorial/first-schedule.md") in PAGES


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_commands_of_a_page_do_what_it_says(path: Path, tmp_path: Path) -> None:
    page = steps((ROOT / path).read_text(encoding="utf-8"))
    folder = folder_like_a_clone(tmp_path)

    with crony_up(folder) as environ:
        usual = {USUAL: environ["CRONY_API_BIND"]}
        follow(page, folder, environ, instead=usual)


@pytest.mark.parametrize(
    "kind", [PostgreSQL, MongoDb, Redis], ids=lambda kind: kind.__name__
)
def test_commands_of_the_readme_do_the_same_on_a_server(
    kind: type[Server], tmp_path: Path
) -> None:
    page = steps((ROOT / "README.rst").read_text(encoding="utf-8"))
    folder = folder_like_a_clone(tmp_path / "clone")

    with (
        kind(tmp_path / "server") as server,
        crony_up(folder, CRONY_STORAGE=server.url) as environ,
    ):
        follow(page, folder, environ, instead={USUAL: environ["CRONY_API_BIND"]})

    assert not list(folder.rglob("crony.db"))


MARKDOWN = """\
# Page
```console
$ not marked
```
<!-- run -->
```console
$ first \\
    --more
$ second
one
… two
```
"""
TEXT = """\
Page
====

.. run

.. code-block:: console

   $ first \\
       --more
   $ second
   one
   … two

After.
"""


@pytest.mark.parametrize("page", [MARKDOWN, TEXT], ids=["markdown", "rst"])
def test_marked_blocks_are_read_with_commands_and_promises(page: str) -> None:
    assert steps(page) == [
        Step("first \\\n    --more", ""),
        Step("second", "one\n… two"),
    ]


def test_marked_block_is_saved_as_a_file(tmp_path: Path) -> None:
    page = """<!-- file a.json -->\n```json\n{"a": "$HOME \\n"}\n```\n"""
    (step,) = steps(page)
    subprocess.run(["bash", "-c", step.command], cwd=tmp_path, check=True)
    assert (tmp_path / "a.json").read_text() == '{"a": "$HOME \\n"}\n'


def test_mark_of_a_file_without_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="not in front of a block"):
        steps("<!-- file a.json -->\ntext\n")


@pytest.mark.parametrize(
    "page", ["<!-- run -->\ntext\n", "<!-- run -->\n```console\nno command\n```\n"]
)
def test_mark_without_commands_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"mark|before the first"):
        steps(page)


def test_blocks_for_a_store_are_read_by_its_name() -> None:
    page = MARKDOWN.replace("<!-- run -->", "<!-- run on shelf -->")
    assert steps(page) == []
    assert steps(page, on="shelf") == steps(MARKDOWN)
    assert steps(page, on="she") == []
    assert is_walked(MARKDOWN)
    assert not is_walked(page)


def test_ellipsis_stands_for_anything_and_nothing_else_does() -> None:
    step = Step("x", "one …\ntwo.")
    assert step.keeps_its_promise("one and\nmore\ntwo.\n")
    assert not step.keeps_its_promise("one and\ntwo!\n")
    assert not step.keeps_its_promise("one and\ntwox\n")


def test_width_of_columns_is_not_promised() -> None:
    step = Step("x", "NAME  STATE\na  b")
    assert step.keeps_its_promise("NAME      STATE\na b")
    assert not step.keeps_its_promise("NAMESTATE\na b")


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        ("a\nz\n", True),
        ("a\nb\nc\nz", True),
        ("a\nz\ny", True),
        ("az", False),
        ("b\nz", False),
    ],
)
def test_line_of_an_ellipsis_stands_for_any_lines_or_none(
    output: str,
    kept: bool,  # noqa: FBT001  # a column of the table
) -> None:
    assert Step("x", "a\n…\nz\n…").keeps_its_promise(output) is kept
