"""The shared tests of ``groups``, on every driver."""

from crony.testing.storage.groups import *  # noqa: F403
