"""The schema, step by step, in the form that Alembic runs."""
