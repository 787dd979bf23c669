"""Types of columns."""

from __future__ import annotations

import sqlalchemy as sa

#: In the order of code points, whatever language the server speaks.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

#: As long as instants are.
NUMBER = sa.BigInteger()


def serial(name: str) -> sa.Column[int]:
    """Return a primary key that the database counts up itself."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, sa.Identity(), primary_key=True)
