"""Notes of duties: how far whoever had a duty came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crony.storage.sql.migrations import clauses

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and drop an index that nothing asks any more."""
    op.add_column("duties", sa.Column("note", clauses.TEXT, nullable=True))
    # A deletion looked for withdrawn runs; it leaves them alone now.
    op.drop_index("runs_withdrawn", "runs")
