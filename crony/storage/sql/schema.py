"""Which schema the database has, and bringing it to this release's."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, exc
from sqlalchemy.pool import StaticPool

from crony.storage.sql.connection import Connection

_MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, url: str, version: str = "head") -> None:
    """Run the steps that are missing, in the transaction of the connection.

    ``url`` is what SQLAlchemy calls the dialect and the driver. Raises the driver's own
    errors.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = create_engine(
        url,
        creator=lambda: connection.driver,
        poolclass=StaticPool,
        hide_parameters=True,
        pool_reset_on_return=None,
    )
    # Whoever gave the connection has begun the transaction, and ends it.
    for end in ("do_commit", "do_rollback"):
        setattr(engine.dialect, end, lambda _: None)
    try:
        config.attributes["connection"] = engine.connect()
        command.upgrade(config, version)
    except exc.DBAPIError as caught:
        # Whoever lent the connection knows the driver's errors, and their meaning.
        raise (caught.orig or caught) from None
