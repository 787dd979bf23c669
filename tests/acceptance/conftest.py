"""What the acceptance tests share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.witness import Witness


@pytest.fixture
def witness() -> Iterator[Witness]:
    """The folder in which tasks say what they did."""
    # Not below pytest's own folder, which it keeps from the tasks' user ids.
    with tempfile.TemporaryDirectory(prefix="crony-witness-") as folder:
        Path(folder).chmod(0o711)
        yield Witness(Path(folder) / "witness")
