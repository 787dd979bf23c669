"""The shared tests of ``moving_refusals``, on every driver."""

from crony.testing.storage.moving_refusals import *  # noqa: F403
