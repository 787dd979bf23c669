"""What the steps of the schema are written in: columns, and SQL with words."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import TextClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from crony.storage.sql.dialect import say

#: In the order of code points, whatever language the server speaks.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

#: As long as instants are.
NUMBER = sa.BigInteger()


def serial(name: str) -> sa.Column[int]:
    """Return a primary key that the database counts up itself."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, sa.Identity(), primary_key=True)


class Clause(TextClause):
    """SQL with words, which each database says in its own way."""

    inherit_cache = True


def text(sql: str) -> Clause:
    """Return a clause, or a whole statement."""
    return Clause(sql)


@compiles(Clause)
def _compiled(clause: Clause, compiler: SQLCompiler, **options: Any) -> str:
    said = say(clause.text, compiler.dialect.name)
    return str(compiler.process(sa.text(said), **options))
