"""The shared tests of ``isolation``, on every driver."""

from crony.testing.storage.isolation import *  # noqa: F403
