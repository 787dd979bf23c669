"""The shared tests of ``lease``, on every driver."""

from crony.testing.storage.lease import *  # noqa: F403
