"""The shared tests of ``records``, on every driver."""

from crony.testing.storage.records import *  # noqa: F403
