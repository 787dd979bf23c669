"""Which schema the database has, and bringing it to this release's."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from crony.storage.sql.connection import Connection

_MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, url: str, version: str = "head") -> None:
    """Run the steps that are missing, in the transaction of the connection.

    ``url`` is what SQLAlchemy calls the dialect and the driver.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = create_engine(
        url,
        creator=lambda: connection.driver,
        poolclass=StaticPool,
        pool_reset_on_return=None,
    )
    # Whoever gave the connection has begun the transaction, and ends it.
    for end in ("do_commit", "do_rollback"):
        setattr(engine.dialect, end, lambda _: None)
    config.attributes["connection"] = engine.connect()
    command.upgrade(config, version)
