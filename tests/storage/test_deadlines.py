"""The shared tests of ``deadlines``, on every driver."""

from crony.testing.storage.deadlines import *  # noqa: F403
