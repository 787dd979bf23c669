"""What is written from the table of settings is current."""

import subprocess
import sys
from pathlib import Path

import pytest

from crony import config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("form", "path"),
    [("conf", "etc/crony.conf"), ("markdown", "docs/reference/settings.md")],
)
def test_generated_file_is_current(form: str, path: str) -> None:
    command = [sys.executable, "-m", "crony.config", "--format", form]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert (ROOT / path).read_text(encoding="utf-8") == made.stdout, (
        f"write it again: python -m crony.config --format {form} > {path}"
    )


def test_sample_with_every_line_in_force_changes_nothing(tmp_path: Path) -> None:
    """The sample says the defaults, so uncommenting all of it must be harmless."""
    environ = {"CRONY_HOME": str(tmp_path)}
    plain = config.load(path=None, environ=environ, overrides={})
    shown = {(row.section, row.key): row for row in config.rows()}
    lines: list[str] = []
    section = ""
    for line in (ROOT / "etc" / "crony.conf").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        key, equals, value = line.removeprefix("#").partition(" =")
        if line.startswith("#") and equals and (section, key) in shown:
            row = shown.pop((section, key))
            # Two defaults depend on the machine; the sample says how.
            exact = row.key not in ("name", "slots", "url")
            lines.append(f"{key} ={value}" if exact else f"# {key}")
        else:
            lines.append(line)
    path = tmp_path / "sample.conf"
    path.write_text("\n".join(lines))
    path.chmod(0o600)

    assert not shown, "settings that the sample lacks"
    assert config.load(path=str(path), environ=environ, overrides={}) == plain
