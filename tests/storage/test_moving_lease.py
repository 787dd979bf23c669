"""The shared tests of ``moving_lease``, on every driver."""

from crony.testing.storage.moving_lease import *  # noqa: F403
