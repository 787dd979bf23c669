"""SQLite: a file for each store."""

from __future__ import annotations

import shutil
from pathlib import Path

from crony.storage import open_store
from tests.storage.stands.stand import Stand


class SqliteStand(Stand):
    """Copies of one migrated file: a migration for each test would take long."""

    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._made = 0

    def fresh(self) -> str:
        template = self.directory / "template.db"
        if not template.exists():
            open_store(f"sqlite:///{template}").migrate()
        self._made += 1
        path = self.directory / f"crony-{self._made}.db"
        shutil.copyfile(template, path)
        return f"sqlite:///{path}"
