"""The shared tests of ``confirm``, on every driver."""

from crony.testing.storage.confirm import *  # noqa: F403
