"""The shared tests of ``moving_intact``, on every driver."""

from crony.testing.storage.moving_intact import *  # noqa: F403
