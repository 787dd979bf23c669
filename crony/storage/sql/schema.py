"""Which schema the database has, and bringing it to this release's."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection

_MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, version: str = "head") -> None:
    """Run the steps that are missing, in the transaction of the connection."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
