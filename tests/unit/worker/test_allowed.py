"""What a run asks for, held against what the operator allows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crony import errors
from crony.worker.sandbox.allowed import Allowed
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
        Allowed(
            Operator(state_dir=Path("/"), allowed_ro=("/proc",), allowed_rw=("/proc",))
        ).check(Command(argv=("id",)), limits)


def test_the_refusal_of_a_path_names_the_setting() -> None:
    limits = Limits(rw_paths=("/srv/data",))
    with pytest.raises(errors.SandboxFailed, match=r"rw_paths of \[worker\] in crony"):
        Allowed(Operator(state_dir=Path("/"))).check(Command(argv=("id",)), limits)


def test_a_link_that_tasks_made_is_not_what_an_operator_allowed(tmp_path: Path) -> None:
    shared, secret = tmp_path / "shared", tmp_path / "secret"
    shared.mkdir()
    secret.mkdir()
    # The operator named a directory; since then a task put a link in its place.
    (shared / "docs").symlink_to(secret)
    for name in ("shared", "alias"):
        (tmp_path / "alias").unlink(missing_ok=True)
        (tmp_path / "alias").symlink_to(shared)
        operator = Operator(
            state_dir=tmp_path,
            allowed_ro=(str(tmp_path / name / "docs"),),
            allowed_rw=(str(shared),),
        )
        allowed = Allowed(operator)
        assert (allowed.ro_roots, allowed.rw_roots) == ((), (str(shared),))
        for path in (secret, shared / "docs"):
            with pytest.raises(errors.SandboxFailed, match="ro_paths"):
                allowed.check(
                    Command(argv=("id",)), Limits(ro_paths=(str(path),))
                ).close()
