"""A task that exchanges a path for a link while another run is prepared.

The race is won every time: the driver exchanges the two after the check, before
anything is spawned.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.conftest import CONFINED, LANDLOCK, started_stand
from tests.integration.sandbox.driver import exchanged
from tests.integration.sandbox.stand import Refused, Stand


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """Make a directory that tasks may write, and one that nobody may see."""
    with tempfile.TemporaryDirectory(prefix="crony-swaps-", dir="/var/tmp") as made:
        base = Path(made)
        base.chmod(0o755)
        for name in ("srv", "srv/sub", "open", "open/out", "secret"):
            (base / name).mkdir()
            (base / name).chmod(0o777)
        for name in ("srv/sub", "open/out", "secret"):
            (base / name / "file").write_text(name)
        (base / "srv" / "evil").symlink_to(base / "secret")
        (base / "alias").symlink_to(base / "srv")
        yield base


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(f"exchanges-{name}"))
        for name in (*CONFINED, *LANDLOCK)
    ],
)
def host(request: pytest.FixtureRequest, base: Path) -> Iterator[Stand]:
    """Start a worker that lets tasks write ``srv``."""
    stand = started_stand(
        request.param,
        base / f"state-{request.param}",
        allowed_ro=[str(base / "open")],
        allowed_rw=[str(base / "alias"), str(base / "open" / "out")],
    )
    yield stand
    stand.close()


@pytest.fixture
def swap(base: Path) -> Iterator[tuple[str, str]]:
    """Name what is exchanged; it is put back afterwards."""
    pair = (str(base / "srv" / "sub"), str(base / "srv" / "evil"))
    yield pair
    if os.path.islink(pair[0]):
        exchanged(*pair)


@pytest.mark.parametrize("kind", ["ro_paths", "rw_paths"])
def test_a_path_that_was_exchanged_for_a_link_shows_nothing_else(
    host: Stand, swap: tuple[str, str], kind: str
) -> None:
    argv, limits = ("/bin/cat", f"{swap[0]}/file"), {kind: [swap[0]]}
    assert host.run(*argv, limits=limits).out == "srv/sub"
    before = host.tell("fds")
    attack = {"exchange": swap}
    if host.level == "landlock":
        # Its rules are about what was checked, whatever its name is now.
        result = host.run(*argv, limits=limits, attack=attack)
        assert (result.exit_code, result.out) == (1, "")
    else:
        with pytest.raises(Refused, match="exchanged after it was checked"):
            host.tell("prepare", key="late", argv=argv, limits=limits, attack=attack)
        with pytest.raises(Refused, match="the prepared process is gone"):
            host.tell("release", key="late")
        host.tell("discard", key="late")
    assert os.path.islink(swap[0])
    assert host.tell("fds") == before


@pytest.mark.parametrize("name", CONFINED)
def test_the_exchange_shows_a_secret_where_nobody_looks(
    base: Path, swap: tuple[str, str], name: str
) -> None:
    stand = started_stand(name, base / f"blind-{name}", allowed_rw=[str(base / "srv")])
    result = stand.run(
        *("/bin/cat", f"{swap[0]}/file"),
        limits={"ro_paths": [swap[0]]},
        attack={"exchange": swap, "verify": False},
    )
    stand.close()
    assert result.out == "secret"


def test_a_link_below_what_is_allowed_is_refused(host: Stand, base: Path) -> None:
    for kind in ("ro_paths", "rw_paths"):
        for path in ("srv/evil", "alias/evil", "srv/evil/file"):
            with pytest.raises(Refused, match=r"symbolic link|Not a directory"):
                host.prepare("/bin/true", limits={kind: [str(base / path)]})


def test_a_link_in_the_operator_s_own_path_is_followed(host: Stand, base: Path) -> None:
    path = str(base / "srv" / "sub")
    assert (
        host.run("/bin/cat", f"{path}/file", limits={"ro_paths": [path]}).exit_code == 0
    )
    if host.level != "landlock":
        path = str(base / "alias" / "sub")
        result = host.run("/bin/cat", f"{path}/file", limits={"ro_paths": [path]})
        assert result.out == "srv/sub"


def test_a_path_inside_one_that_tasks_can_change_is_refused(
    host: Stand, base: Path
) -> None:
    inner, outer = str(base / "srv" / "sub"), str(base / "srv")
    for limits in (
        {"ro_paths": [inner], "rw_paths": [outer]},
        {"rw_paths": [inner, outer]},
        {"ro_paths": [inner, outer]},
    ):
        with pytest.raises(Refused, match="asked for too"):
            host.prepare("/bin/true", limits=limits)


def test_a_path_to_write_inside_one_to_read_is_shown(host: Stand, base: Path) -> None:
    inner, outer = base / "open" / "out", base / "open"
    code = f"echo x >{inner}/new && ! ( echo x >{outer}/new ) 2>/dev/null"
    limits = {"ro_paths": [str(outer)], "rw_paths": [str(inner)]}
    assert host.run("/bin/sh", "-c", code, limits=limits).exit_code == 0
    (inner / "new").unlink()
    assert not (outer / "new").exists()
