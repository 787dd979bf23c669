"""The shared tests of ``schedules``, on every driver."""

from crony.testing.storage.schedules import *  # noqa: F403
