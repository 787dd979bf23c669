"""Follow the commands of a page, and hold their output against what it promises."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.docs.walkthrough import Step

MARK = "=-=-= ended with"


def follow(
    page: Sequence[Step],
    folder: Path,
    environ: Mapping[str, str],
    *,
    instead: Mapping[str, str] | None = None,
    within: float = 90,
) -> None:
    """Run all commands of a page in one shell; fail where one does, or lies.

    ``instead`` says what to write where the page names something else, ``within`` how
    many seconds all of it may take.
    """
    results = _outputs(page, folder, environ, instead or {}, within=within)
    for step, (code, output) in zip(page, results, strict=False):
        assert code == 0, f"$ {step.command}\n{output}"
        assert step.keeps_its_promise(output), (
            f"$ {step.command}\n{output}\nand not what the page says:\n{step.promised}"
        )
    assert len(results) == len(page)


def _outputs(
    page: Sequence[Step],
    folder: Path,
    environ: Mapping[str, str],
    instead: Mapping[str, str],
    *,
    within: float,
) -> list[tuple[int, str]]:
    """Return exit codes and outputs."""
    script = folder / "page.sh"
    lines = ["exec 2>&1"]
    for step in page:
        command = step.command
        for usual, here in instead.items():
            command = command.replace(usual, here)
        lines.append(command)
        lines.append(f"printf '\\n{MARK} %d\\n' $?")
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        ["bash", script],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=within,
    )
    parts = re.split(rf"\n{MARK} (\d+)\n", done.stdout)
    return [
        (int(code), output)
        for output, code in zip(parts[::2], parts[1::2], strict=False)
    ]
