"""The plugin that makes a test run fail when a test did not really run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSING = "def test_passes(): pass\n"
#: One file each, and what is said of the test in it.
ODD = {
    "test_mark.py": ("@pytest.mark.skip\ndef test_a(): pass\n", "skipped"),
    "test_call.py": ("def test_a(): pytest.skip('no')\n", "skipped"),
    "test_file.py": (
        "pytest.skip('no', allow_module_level=True)\n",
        "skipped as a whole",
    ),
    "test_fails.py": (
        "@pytest.mark.xfail\ndef test_a(): assert 0\n",
        "expected to fail",
    ),
    "test_xpass.py": ("@pytest.mark.xfail\ndef test_a(): pass\n", "expected to fail"),
    "test_left.py": ("def test_gone(): pass\n", "deselected"),
}


def outcome(folder: Path, *options: str) -> tuple[int, str]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.completeness",
        "-p",
        "xdist",
    ]
    command += ["-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    # The usual place is that of the tests around this one, and would be closed.
    command += ["--basetemp", str(folder / "temporary")]
    done = subprocess.run(
        [*command, *options],
        cwd=ROOT,
        # Other plugins only cost time here.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def written(folder: Path, text: str, *, name: str = "test_sample.py") -> None:
    (folder / name).write_text("import pytest\n" + text)


@pytest.mark.parametrize("processes", ["0", "2"])
def test_suite_whose_tests_all_pass_is_complete(tmp_path: Path, processes: str) -> None:
    written(tmp_path, PASSING)

    code, out = outcome(tmp_path, "--complete", "-n", processes)

    assert code == 0
    assert "1 collected, 1 passed: complete" in out


@pytest.mark.parametrize("processes", ["0", "2"])
def test_suite_fails_and_names_each_test_that_did_not_run(
    tmp_path: Path, processes: str
) -> None:
    written(tmp_path, PASSING)
    for name, (text, _) in ODD.items():
        written(tmp_path, text, name=name)

    code, out = outcome(tmp_path, "-k", "not gone", "-n", processes, "--complete")

    assert code == 1
    for name, (_, said) in ODD.items():
        assert f"not run in full, {said}: {name}" in out
    assert "7 collected, 1 passed: NOT COMPLETE" in out


@pytest.mark.parametrize("name", ODD)
def test_one_test_that_did_not_run_is_enough_to_fail(tmp_path: Path, name: str) -> None:
    written(tmp_path, PASSING)
    written(tmp_path, ODD[name][0], name=name)

    code, out = outcome(tmp_path, "-k", "not gone", "--complete")

    assert code == 1
    assert "2 collected, 1 passed: NOT COMPLETE" in out


def test_without_the_option_such_a_suite_passes(tmp_path: Path) -> None:
    written(tmp_path, PASSING + ODD["test_mark.py"][0])

    code, out = outcome(tmp_path)

    assert code == 0
    assert "COMPLETE" not in out


def test_suite_with_a_failing_test_still_fails(tmp_path: Path) -> None:
    written(tmp_path, "def test_a(): assert 0\n")

    code, out = outcome(tmp_path, "--complete")

    assert code == 1
    assert "1 collected, 0 passed: NOT COMPLETE" in out
