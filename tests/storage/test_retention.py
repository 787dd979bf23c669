"""The shared tests of ``retention``, on every driver."""

from crony.testing.storage.retention import *  # noqa: F403
