"""The scripts: Lua in files of its own, with parts that several share.

A file begins with a line that says what it does. A line ``-- parts: a, b`` names the
parts that it needs before it; one that is ``-- reads`` alone says that a script
writes nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_SUFFIX = ".lua"
#: Every script begins with it.
_BASE = "base"
_PARTS = re.compile(r"^-- parts: (.+)$", re.MULTILINE)
_READS = re.compile(r"^-- reads$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A verb's script, whole; ``digest`` is what the server knows it by."""

    name: str
    source: str
    digest: str
    #: Whether it writes nothing.
    reads: bool


def _folder() -> Traversable:
    return resources.files(__package__ or "").joinpath("scripts")


@cache
def scripts() -> dict[str, Script]:
    """Return all scripts, by name."""
    names = (each.name for each in _folder().iterdir())
    return {
        name: _script(name)
        for name in sorted(n.removesuffix(_SUFFIX) for n in names if _SUFFIX in n)
    }


def _script(name: str) -> Script:
    own = _folder().joinpath(name + _SUFFIX).read_text()
    return made(name, own)


def made(name: str, own: str) -> Script:
    """Return the script of this text, with the parts that it names before it."""
    reads = _READS.search(own) is not None
    shebang = "#!lua flags=no-writes\n" if reads else "#!lua\n"
    source = shebang + "\n".join([*map(_part, _needed(own)), own])
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(name, source, digest, reads)


@cache
def _part(name: str) -> str:
    return _folder().joinpath("parts", name + _SUFFIX).read_text()


def _needed(own: str) -> list[str]:
    """Return the parts that a text needs, each after those that it needs itself."""
    needed = [_BASE]
    for name in _named(own):
        inner = [*_needed(_part(name)), name]
        needed += [each for each in inner if each not in needed]
    return needed


def _named(text: str) -> list[str]:
    found = _PARTS.search(text)
    return found[1].split(", ") if found else []
