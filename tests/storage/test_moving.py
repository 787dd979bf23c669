"""The shared tests of ``moving``, on every driver."""

from crony.testing.storage.moving import *  # noqa: F403
