"""The plugin that shares the tests out among several processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_MODULE = """\
import pytest


@pytest.mark.xdist_group("odd")
@pytest.mark.parametrize("number", range(1, 16, 2))
def test_odd(number):
    pass


@pytest.mark.xdist_group("even")
@pytest.mark.parametrize("number", range(0, 16, 2))
def test_even(number):
    pass
"""


def test_each_group_is_run_by_one_process(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for number in range(2):
        (tmp_path / f"test_sample_{number}.py").write_text(_MODULE)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup"),
            *("-p", "xdist", "-p", "tests.sharing_out", "-p", "no:cacheprovider"),
            *("--rootdir", str(tmp_path), "--basetemp", str(tmp_path / "temporary")),
            str(tmp_path),
        ],
        cwd=ROOT,
        # Other plugins only cost time here.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found = re.findall(r"\[(gw\d)\] .* PASSED .*::test_(odd|even)\[", done.stdout)
    by = {which: {at for at, each in found if each == which} for _, which in found}
    assert len(found) == 32
    assert len(by["odd"]) == len(by["even"]) == 1
    assert by["odd"] != by["even"]
