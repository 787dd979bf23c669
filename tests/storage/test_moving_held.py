"""The shared tests of ``moving_held``, on every driver."""

from crony.testing.storage.moving_held import *  # noqa: F403
