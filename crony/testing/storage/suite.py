"""All shared tests at once, for a driver's own test module.

``from crony.testing.storage.suite import *`` in a module that has a fixture ``store``
(see this package) is all that it takes. A class is named after the module that it comes
from as well: several have a ``TestList``.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import pytest

import crony.testing.storage as package

_FIXTURE = type(pytest.fixture(lambda: None))


def _of(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Return the tests of a module, and the fixtures that they ask for."""
    topic = module.__name__.rpartition(".")[2].title().replace("_", "")
    for name, found in vars(module).items():
        if isinstance(found, _FIXTURE):
            yield name, found
            continue
        own = isinstance(found, type) and found.__module__ == module.__name__
        if own and name.startswith("Test"):
            yield f"Test{topic}{name.removeprefix('Test')}", found


def _gathered() -> dict[str, object]:
    found: dict[str, object] = {}
    for info in iter_modules(package.__path__, f"{package.__name__}."):
        if info.name == __name__:
            continue
        for name, value in _of(import_module(info.name)):
            # Two fixtures of one name would serve each other's tests.
            if found.setdefault(name, value) is not value:
                raise ImportError(f"two modules of the suite have a {name}")
    return found


_found = _gathered()
globals().update(_found)
__all__ = list(_found)
