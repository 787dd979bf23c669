"""The shared tests of deleted schedules, on every driver."""

from crony.testing.storage.deletion import *  # noqa: F403
