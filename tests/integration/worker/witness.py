"""What really ran, as the tasks themselves wrote it down outside the service."""

from __future__ import annotations

from pathlib import Path


class Witness:
    """A file that tasks append a line to: a word, run, attempt, token, instant.

    The instant is the host's uptime in seconds, so it is the same clock for all.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        # Tasks have uids of their own where the worker is root.
        directory.chmod(0o777)
        self.directory = str(directory)
        self._file = directory / "seen"
        self._file.touch()
        self._file.chmod(0o666)

    @property
    def sandbox(self) -> dict[str, list[str]]:
        """What a schedule asks for to write here."""
        return {"rw_paths": [self.directory]}

    def line(self, word: str) -> str:
        """Return the shell line that writes ``word`` down, in one write."""
        fields = "$CRONY_RUN_ID $CRONY_ATTEMPT $CRONY_TOKEN"
        return (
            "read up rest < /proc/uptime; "
            f'printf "%s\\n" "{word} {fields} $up" >> {self._file}'
        )

    def forget(self) -> None:
        """Begin anew."""
        self._file.write_text("")

    def seen(self, word: str = "") -> list[list[str]]:
        """Return what was written, split, of one word or all."""
        lines = [line.split() for line in self._file.read_text().splitlines()]
        return [line for line in lines if not word or line[0] == word]
