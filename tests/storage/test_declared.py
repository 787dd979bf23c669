"""What the documentation says a store can do is what its driver says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from crony.storage.contract import Capabilities
from tests.storage.conftest import Stands
from tests.storage.stands import STANDS

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "choose-a-store.md"

#: The reference is for tests, and stands in no table of what to choose from.
CHOICES = [name for name in STANDS if name != "memory"]


def rows() -> Iterator[list[str]]:
    """Return the cells of the table of what each can do."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition("## What each can do\n")
    section, _, _ = after.partition("\n## ")
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def documented() -> dict[str, dict[str, bool]]:
    """Return what the table says, by stand and capability."""
    head, *lines = rows()
    stands = [cell.strip("`") for cell in head[1:]]
    said: dict[str, dict[str, bool]] = {stand: {} for stand in stands}
    for name, *cells in lines:
        word = re.sub(r"\W+", "_", name.partition(":")[0])
        for stand, cell in zip(stands, cells, strict=True):
            said[stand][word] = {"yes": True, "no": False}[cell]
    return said


def test_each_store_stands_in_the_table() -> None:
    assert list(documented()) == CHOICES


@pytest.mark.parametrize("name", CHOICES)
def test_a_store_can_do_what_the_table_says(name: str, stands: Stands) -> None:
    store = stands(name).new()
    store.open()
    try:
        found = store.capabilities
        missing = store.cannot_promise()
    finally:
        store.close()
    said = documented()[name]
    assert list(said) == [each.name for each in fields(Capabilities)]
    assert said == {word: getattr(found, word) for word in said}
    assert not missing


def test_the_reference_is_only_good_for_tests(stands: Stands) -> None:
    store = stands("memory").new()
    store.open()
    found = store.capabilities
    assert (found.durable, found.shared, found.remote) == (False, False, False)
