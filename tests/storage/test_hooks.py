"""The shared tests of ``hooks``, on every driver."""

from crony.testing.storage.hooks import *  # noqa: F403
