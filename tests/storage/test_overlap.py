"""The shared tests of ``overlap``, on every driver."""

from crony.testing.storage.overlap import *  # noqa: F403
