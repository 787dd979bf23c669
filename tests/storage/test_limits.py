"""The shared tests of ``limits``, on every driver."""

from crony.testing.storage.limits import *  # noqa: F403
