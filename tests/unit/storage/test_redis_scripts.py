"""The Lua of the Redis driver: each script says what it does, and has what it needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crony.model import policy
from crony.storage import redis as driver
from crony.storage.redis import layout, lua

FOLDER = Path(driver.__file__).parent / "scripts"
FILES = sorted(FOLDER.rglob("*.lua"))
_PATH = [f.relative_to(FOLDER).as_posix() for f in FILES]


@pytest.mark.parametrize("path", _PATH)
def test_each_file_says_in_its_first_line_what_it_is(path: str) -> None:
    lines = (FOLDER / path).read_text().splitlines()
    assert re.fullmatch(r"-- [A-Z].*", lines[0])
    assert all(len(line) <= 88 for line in lines)


@pytest.mark.parametrize("path", _PATH)
def test_no_script_reads_a_clock_or_draws_randomness(path: str) -> None:
    text = (FOLDER / path).read_text()
    for word in ("'TIME'", "'KEYS'", "'SCAN'", "RAND", "math.random", "os."):
        assert word not in text


@pytest.mark.parametrize("name", sorted(lua.scripts()))
def test_each_script_is_called_and_has_the_parts_that_it_names(name: str) -> None:
    source = lua.scripts()[name].source
    for part in set(re.findall(r"\b([a-z]+)\.[a-z_]+\(", source)):
        if (FOLDER / "parts" / f"{part}.lua").exists():
            assert f"local {part} = " in source, f"{name} needs {part}"
    calls = [
        file
        for file in Path(driver.__file__).parent.glob("*.py")
        if f'"{name}"' in file.read_text()
    ]
    assert calls, f"nothing calls {name}"


def test_every_part_is_needed_by_a_script() -> None:
    sources = "".join(script.source for script in lua.scripts().values())
    for part in (FOLDER / "parts").glob("*.lua"):
        assert f"local {part.stem} = " in sources


def test_a_part_stands_once_and_after_those_that_it_needs() -> None:
    script = lua.made("a", "-- Do nothing.\n-- parts: admission, runs, places\n")
    order = [
        script.source.index(f"local {part} = ")
        for part in ("base", "rules", "lines", "runs", "places", "admission")
    ]
    assert order == sorted(order)
    assert script.source.count("local runs = ") == 1


def test_a_script_that_only_reads_says_so_to_the_server() -> None:
    assert lua.made("a", "-- Look.\n-- reads\n").source.startswith(
        "#!lua flags=no-writes\n"
    )
    assert lua.made("a", "-- Do.\n").source.startswith("#!lua\n")


def test_what_only_reads_has_no_name_of_a_verb_that_writes() -> None:
    for script in lua.scripts().values():
        own = (FOLDER / f"{script.name}.lua").read_text()
        writes = re.search(r"call\('(Z|H|S|L|R)?(ADD|SET|REM|DEL|PUSH|POP|TRIM)'", own)
        assert not (script.reads and writes), script.name


def test_instants_as_text_are_in_the_order_of_instants() -> None:
    instants = [-62_135_596_800_000, -1, 0, 1, 1_790_000_000_000, 253_402_300_799_999]
    texts = [layout.sortable(instant) for instant in instants]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {15}


def test_the_keys_of_a_tenant_are_in_one_slot_that_no_space_has() -> None:
    assert layout.prefix("default") == "crony:{default}:"
    assert layout.prefix(layout.TENANTS).startswith("crony:{:")


def test_no_limit_is_the_same_number_in_lua() -> None:
    text = (FOLDER / "parts" / "recalling.lua").read_text()
    assert f"local NO_LIMIT = {policy.NO_LIMIT}" in text
