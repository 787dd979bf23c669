"""The shared tests of ``runs``, on every driver."""

from crony.testing.storage.runs import *  # noqa: F403
