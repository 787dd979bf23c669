"""The directory of a user's Crony: where it is and who may enter it."""

import os
from pathlib import Path

import pytest

from crony import config, errors


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"CRONY_HOME": "/a", "XDG_DATA_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_DATA_HOME": "/b", "HOME": "/c"}, "/b/crony"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/c"}, "/c/.local/share/crony"),
        ({"CRONY_HOME": "", "HOME": "/c"}, "/c/.local/share/crony"),
    ],
)
def test_home_is_the_first_that_is_named(
    environ: dict[str, str], expected: str
) -> None:
    assert config.home(environ) == Path(expected)


def test_home_does_not_depend_on_a_home_variable() -> None:
    assert config.home({}).is_absolute()


def test_new_home_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = config.ensure_home({"CRONY_HOME": str(tmp_path / "a" / "b")})
    finally:
        os.umask(before)

    assert made.stat().st_mode & 0o777 == 0o700
    assert config.ensure_home({"CRONY_HOME": str(made)}) == made


@pytest.mark.parametrize("mode", [0o710, 0o704, 0o750, 0o777])
def test_home_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(errors.MissingSafeguard, match="chmod 700"):
        config.ensure_home({"CRONY_HOME": str(tmp_path)})


def test_home_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.InvalidSetting, match="can't be made a directory"):
        config.ensure_home({"CRONY_HOME": str(tmp_path / "file")})
