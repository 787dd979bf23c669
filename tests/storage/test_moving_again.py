"""The shared tests of ``moving_again``, on every driver."""

from crony.testing.storage.moving_again import *  # noqa: F403
