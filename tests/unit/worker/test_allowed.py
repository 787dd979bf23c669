"""What a run asks for, held against what the operator allows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crony import errors
from crony.worker.sandbox.allowed import check
from crony.worker.sandbox.values import Command, Limits, Operator

_NOBODY = 65534


@pytest.fixture
def plain_user() -> Iterator[None]:
    """Be nobody in particular for the length of a test."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.usefixtures("plain_user")
@pytest.mark.parametrize("kind", ["ro_paths", "rw_paths"])
def test_a_link_that_may_not_be_read_is_refused_like_any_other(kind: str) -> None:
    limits = Limits(**{kind: ("/proc/1/root",)})  # type: ignore[arg-type]
    with pytest.raises(errors.SandboxFailed, match=kind):
        check(Operator(state_dir=Path("/")), Command(argv=("id",)), limits)
