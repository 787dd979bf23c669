"""The shared tests of ``logs``, on every driver."""

from crony.testing.storage.logs import *  # noqa: F403
