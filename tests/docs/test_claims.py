"""What the pages say of the code and its tests is true of them."""

import importlib.util
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from crony.model.state import TRANSITIONS
from crony.scheduler.delivery import new_secret, signature

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "docs").rglob("*.md")
    if "_build" not in path.parts
)


def read(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def names_of_tests() -> set[str]:
    folders = (ROOT / "tests", ROOT / "crony" / "testing")
    return {
        name
        for folder in folders
        for path in folder.rglob("*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
    }


def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("drawing", ROOT / "docs/drawing.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", read(page)))
    assert named - names_of_tests() == set()


def test_each_promise_names_a_test_that_shows_it() -> None:
    text = read(Path("docs/explanation/guarantees.md"))
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(sections) > 10
    assert [s.splitlines()[0] for s in sections if "`test_" not in s] == []


def test_each_promise_of_the_list_has_its_section() -> None:
    text = read(Path("docs/explanation/guarantees.md"))
    listed = re.findall(r"^\| \[([^]]+)\]", text, flags=re.MULTILINE)
    sections = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert listed == sections[: len(listed)]
    assert sections[len(listed) :] == ["What it stands on"]


def verifier() -> Callable[[str, Mapping[str, str], bytes], bool]:
    """Return the function that the page gives receivers of webhooks."""
    page = read(Path("docs/howto/alarm-on-failures.md"))
    block = re.search(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(block[1], names)  # the page's own words are what is tested
    found: Callable[[str, Mapping[str, str], bytes], bool] = names["is_genuine"]
    return found


def signed(secret: str, body: bytes, *, timestamp: int) -> dict[str, str]:
    return {
        "webhook-id": "evt_0",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(
            secret, id="evt_0", timestamp=timestamp, payload=body
        ),
    }


def test_the_example_for_receivers_accepts_what_the_service_signs() -> None:
    secret, now = new_secret(bytes), int(time.time())
    assert verifier()(secret, signed(secret, b'{"a": 1}', timestamp=now), b'{"a": 1}')


def test_the_example_for_receivers_refuses_everything_else() -> None:
    secret, now = new_secret(bytes), int(time.time())
    other = new_secret(lambda size: b"\1" * size)
    headers = signed(secret, b"{}", timestamp=now)
    is_genuine = verifier()

    assert not is_genuine(secret, headers, b"{} ")
    assert not is_genuine(other, headers, b"{}")
    assert not is_genuine(secret, headers | {"webhook-id": "evt_1"}, b"{}")
    assert not is_genuine(secret, signed(secret, b"{}", timestamp=now - 3600), b"{}")


def test_the_drawing_has_every_transition_and_no_other() -> None:
    drawn = {
        (line.before, line.after)
        for line in drawing().lines()
        if line.before is not None
    }
    assert drawn == {(a, b) for a, follows in TRANSITIONS.items() for b in follows}


def test_no_line_of_the_drawing_crosses_a_box_or_leaves_the_picture() -> None:
    module = drawing()
    for line in module.lines():
        others = [s for s in module.PLACES if s not in (line.before, line.after)]
        for x, y in line.points:
            assert 0 < x < module.WIDTH
            assert 0 < y < module.HEIGHT
            crossed = [s for s in others if module.inside((x, y), s, margin=4)]
            assert crossed == [], f"{line.before} to {line.after}"
