"""The shared tests of ``backfill``, on every driver."""

from crony.testing.storage.backfill import *  # noqa: F403
