"""The shared tests of ``workers``, on every driver."""

from crony.testing.storage.workers import *  # noqa: F403
